"""A real SLURM on this machine: a controller and two nodes of four GPUs each, of which only the device files exist."""

import os
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import accounting
from proc import fields, kill, name_of

ETC = Path("/etc/slurm")  # fixed: the executor's job steps drop SLURM_CONF from the environment
MARK = "# Written by valuedrift's tests, which remove it when they end.\n"
OWNER = "VALUEDRIFT_TEST_CLUSTER"
FILES = ("slurm.conf", "gres.conf", "slurmdbd.conf")
NODES = ("n1", "n2")
GPUS = 4
# KillWait: seconds from SIGTERM to SIGKILL at the time limit. SlurmdTimeout: seconds until a silent node is down. MinJobAge: finished
# jobs stay visible to squeue. OverMemoryKill enforces --mem without cgroups; without cgroups nothing holds a job to its cores either.
CONFIG = """\
ClusterName=valuedrift
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
MpiDefault=none
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=2,sched_min_interval=100000
GresTypes=gpu
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
SlurmdTimeout=10
MinJobAge=3600
NodeName=n[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{second}] CPUs=16 RealMemory=200000 Gres=gpu:4
PartitionName=cpu Nodes=n[1-2] Default=YES MaxTime=UNLIMITED State=UP
PartitionName=gpu Nodes=n[1-2] MaxTime=UNLIMITED State=UP
"""


class Unavailable(Exception):
    """SLURM cannot be run here; the message says why."""


class Cluster:
    """The daemons, their files in `folder`, and what the tests ask of SLURM."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: dict[str, subprocess.Popen] = {}
        self.has_accounting = not accounting.missing()

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of daemons and of Snakemake: without a SLURM job or GPU around the tests, and with this cluster's mark."""
        strange = ("SLURM", "SBATCH", "SRUN", "CUDA_VISIBLE_DEVICES")
        return {**{key: value for key, value in os.environ.items() if not key.startswith(strange)}, OWNER: str(self.folder)}

    def ask(self, *command: str) -> str:
        """Return the standard output of a SLURM command."""
        return subprocess.run(command, check=True, text=True, capture_output=True, timeout=60).stdout

    def start(self) -> None:
        ports = free_ports()
        for name in ("state", *(f"spool-{node}" for node in NODES)):
            (self.folder / name).mkdir()
        make_devices(self.folder)
        host = socket.gethostname().partition(".")[0]
        text = CONFIG.format(host=host, folder=self.folder, port=ports[0], first=ports[1], second=ports[1] + 1)
        ETC.mkdir(parents=True, exist_ok=True)
        self.start_munge()
        if self.has_accounting:
            text += accounting.start(self, ETC / "slurmdbd.conf", MARK)
        (ETC / "slurm.conf").write_text(f"{MARK}# pid={os.getpid()}\n# folder={self.folder}\n{text}")
        (ETC / "gres.conf").write_text(MARK + f"NodeName=n[1-2] Name=gpu File={self.folder}/gpu[0-{GPUS - 1}]\n")
        if self.has_accounting:
            self.wait(lambda: self.ask("sacctmgr", "--immediate", "add", "cluster", "valuedrift"), "slurmdbd answers")
        self.daemon("slurmctld", "slurmctld", "-D")
        for node in NODES:
            self.start_node(node)
        self.wait(lambda: self.states() == dict.fromkeys(NODES, "idle"), "the nodes are idle")

    def start_munge(self) -> None:
        """Start a munge daemon with a key of its own, in the foreground."""
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        files = {"--key-file": key, "--socket": self.folder / "munge.socket", "--pid-file": self.folder / "munged.pid",
                 "--log-file": self.folder / "munged.log", "--seed-file": self.folder / "munged.seed"}  # fmt: skip
        self.daemon("munged", "munged", "--foreground", "--force", *(f"{option}={path}" for option, path in files.items()))
        self.wait((self.folder / "munge.socket").exists, "munged has its socket")

    def start_node(self, node: str) -> None:
        self.daemon(node, "slurmd", "-D", "-N", node)

    def daemon(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.out").open("ab") as out:
            self.daemons[name] = subprocess.Popen(command, stdout=out, stderr=out, env=self.environment, start_new_session=True)

    def lose(self, node: str) -> None:
        """Kill a node: its daemon, those of its jobs' steps, which could still report, and what they run."""
        kill(self.daemons[node].pid)
        # Again until nothing is left: what is killed may have started another process just before.
        while tasks := [pid for pid, environment in self.processes() if f"SLURMD_NODENAME={node}\0".encode() in environment]:
            parents = {int(found[1]) for pid in tasks if (found := fields(pid))}  # one that has ended meanwhile has none
            for pid in (*(pid for pid in parents if name_of(pid) == "slurmstepd"), *tasks):
                kill(pid)
        self.daemons[node].wait()

    def processes(self) -> Iterator[tuple[int, bytes]]:
        """Yield the processes that this cluster started, daemons and jobs, with their environments."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                environment = (process / "environ").read_bytes()
            except OSError:
                continue  # gone meanwhile
            if f"{OWNER}={self.folder}\0".encode() in environment:
                yield int(process.name), environment

    def states(self) -> dict[str, str]:
        """Return node -> state."""
        return dict(
            line.split() for line in self.ask("sinfo", "--noheader", "--Node", "--format=%N %T", "--partition=gpu").splitlines()
        )

    def job_state(self, job: str | None) -> str:
        return self.column(job, "State:.20")

    def memory(self, job: str | None) -> int:
        """Return the MiB that a job asked for."""
        asked = self.column(job, "MinMemory:.20")
        return int(float(asked[:-1]) * {"M": 1, "G": 1024}[asked[-1]])

    def column(self, job: str | None, name: str) -> str:
        """Return a column of squeue for one job, also when it has ended."""
        return self.ask("squeue", "--noheader", "--states=all", f"--jobs={job}", f"--Format={name}").strip()

    def wait(self, condition: Callable[[], object], what: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while True:
            try:
                if condition():
                    return
            except subprocess.CalledProcessError:
                pass  # the controller is not up yet
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds} s: {what}\n{self.logs()}")
            time.sleep(0.2)

    def logs(self) -> str:
        return "\n".join(f"{path.name}:\n{path.read_text(errors='replace')[-2000:]}" for path in sorted(self.folder.glob("*.log")))

    def stop(self) -> None:
        """End all jobs and daemons, and remove what was written outside the folder."""
        controller = self.daemons.get("slurmctld")
        if controller and controller.poll() is None:
            subprocess.run(["scancel", "--signal=KILL", "--full", "--user=root"], check=False, capture_output=True, timeout=60)
            subprocess.run(["scancel", "--user=root"], check=False, capture_output=True, timeout=60)
        self.end_steps()
        for process in reversed(self.daemons.values()):  # each waits 10 s for those it needs, if they are gone
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for name in FILES:
            if ours(ETC / name):
                (ETC / name).unlink()

    def end_steps(self) -> None:
        """Kill what is left of the jobs, also those of a node that is gone."""
        daemons = {process.pid for process in self.daemons.values()}
        for pid, _ in list(self.processes()):
            if pid not in daemons:
                kill(pid)


def make_devices(folder: Path) -> None:
    """Make character devices like /dev/null, since SLURM counts GPUs by their device files."""
    try:
        for gpu in range(GPUS):
            os.mknod(folder / f"gpu{gpu}", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError as error:
        raise Unavailable("no device files can be made here, not even by root") from error


def ours(path: Path) -> bool:
    return path.exists() and path.read_text().startswith(MARK)


def free_ports() -> tuple[int, int]:
    """Return a free port, and the first of two that are free together."""
    for first in range(17001, 17999, 2):
        try:
            with socket.create_server(("127.0.0.1", first)), socket.create_server(("127.0.0.1", first + 1)):
                pass
        except OSError:
            continue
        with socket.create_server(("127.0.0.1", 0)) as any_free:
            return any_free.getsockname()[1], first
    raise Unavailable("no two free ports from 17001")


def check() -> None:
    """Raise Unavailable if the tests cannot start SLURM here."""
    missing = [name for name in ("slurmctld", "slurmd", "munged", "sbatch") if not shutil.which(name)]
    if missing:
        raise Unavailable(f"no {', '.join(missing)}: `apt-get install slurm-wlm munge`")
    if os.geteuid() != 0:
        raise Unavailable("SLURM's daemons need root here")
    for name in FILES:
        if (ETC / name).exists() and not ours(ETC / name):
            raise Unavailable(f"{ETC / name} was not written by these tests: this machine has a SLURM of its own")
    clear_after_killed_tests()


def clear_after_killed_tests() -> None:
    """End the daemons of tests that were killed; raise Unavailable if these tests run already."""
    if not ours(ETC / "slurm.conf"):
        return
    pid, folder = (line.partition("=")[2] for line in (ETC / "slurm.conf").read_text().splitlines()[1:3])
    if name_of(int(pid)):
        raise Unavailable(f"these tests run already, as process {pid}")
    Cluster(Path(folder)).end_steps()


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """Yield the cluster, which is stopped when the block ends."""
    check()
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
