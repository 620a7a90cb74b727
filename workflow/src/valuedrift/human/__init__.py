"""The human check: people label a sample of judged responses, and the judge is compared with them."""
