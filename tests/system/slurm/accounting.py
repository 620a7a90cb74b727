"""SLURM's accounting, which sacct asks: slurmdbd with a MariaDB of its own, in the cluster's folder."""

import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

PROGRAMS = ("mariadb-install-db", "mariadbd", "slurmdbd", "sacctmgr")
STORAGE = """\
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
PidFile={folder}/slurmdbd.pid
LogFile={folder}/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database}
StorageUser=root
StorageLoc=slurm
"""
# For slurm.conf.
CONFIG = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port}
AccountingStoragePass={folder}/munge.socket
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
"""


def missing() -> str:
    """Return why there can be no accounting; empty if it can be started."""
    found = [name for name in PROGRAMS if not shutil.which(name)]
    return f"no {', '.join(found)}: `apt-get install mariadb-server slurmdbd`" if found else ""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as any_free:
        return any_free.getsockname()[1]


def start(cluster: Any, file: Path, mark: str) -> str:
    """Start database and slurmdbd, whose settings go to `file`; return the lines for slurm.conf."""
    folder, database, port = cluster.folder, free_port(), free_port()
    data = folder / "database"
    install = [
        "mariadb-install-db",
        f"--datadir={data}",
        "--user=root",
        "--skip-test-db",
        "--auth-root-authentication-method=normal",
    ]
    subprocess.run([*install, "--no-defaults"], check=True, capture_output=True, timeout=120)
    cluster.daemon(
        "mariadbd", "mariadbd", "--no-defaults", f"--datadir={data}", "--user=root", f"--socket={folder}/database.socket",
        f"--port={database}", "--bind-address=127.0.0.1", f"--pid-file={folder}/database.pid", "--innodb-buffer-pool-size=64M",
        "--innodb-flush-log-at-trx-commit=0",
    )  # fmt: skip
    host = socket.gethostname().partition(".")[0]
    file.write_text(mark + STORAGE.format(host=host, port=port, folder=folder, database=database))
    file.chmod(0o600)  # slurmdbd insists
    cluster.wait((folder / "database.socket").exists, "the database answers")
    cluster.daemon("slurmdbd", "slurmdbd", "-D")
    return CONFIG.format(port=port, folder=folder)
