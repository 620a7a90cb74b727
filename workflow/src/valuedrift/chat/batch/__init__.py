"""OpenAI's Batch API: at half the price, within a day, in batches that outlive the job. `answers` and `fetch` are its interface."""

from valuedrift.chat.batch.rounds import answers, fetch

__all__ = ["answers", "fetch"]
