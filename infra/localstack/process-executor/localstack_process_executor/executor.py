"""A LocalStack runtime executor that starts `bootstrap` as a child process, one for each execution environment.

Select it by LAMBDA_RUNTIME_EXECUTOR=process. It isolates nothing: only run functions that you would run yourself.
"""

import json
import os
import queue
import signal
import subprocess
import threading
import time
from concurrent.futures import Future, TimeoutError as FutureTimeout

from localstack import config
from localstack.services.lambda_.invocation.executor_endpoint import StatusErrorException
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

from localstack_process_executor import runtime_api

# Of one invocation's output, what is passed on to CloudWatch Logs.
LOG_CHARACTERS = 256 * 1024
# Of an environment's whole output, what get_logs shows.
LOG_LINES = 1000


class ProcessRuntimeExecutor(RuntimeExecutor):
    """One execution environment: a process, and the Runtime API that feeds it one event at a time."""

    def __init__(self, id: str, function_version: FunctionVersion) -> None:
        super().__init__(id=id, function_version=function_version)
        self.timeout_seconds = function_version.config.timeout or 3
        self._events: queue.Queue = queue.Queue()
        self._one_at_a_time = threading.Lock()
        self._started: Future = Future()
        self._running: tuple[str, Future] | None = None
        self._lines: list[str] = []
        self._all_lines: list[str] = []
        self._process: subprocess.Popen | None = None
        self._server = None
        self._variables: dict[str, str] = {}
        self._stopped = False

    # --- called by LocalStack ---

    def start(self, env_vars: dict[str, str]) -> None:
        self._server = runtime_api.serve(self, self.id)
        self._variables = {name: str(value) for name, value in env_vars.items()}
        self._spawn()
        self._started.result()  # bounded: LocalStack's own timer calls stop(), which fails this future

    def stop(self) -> None:
        self._stopped = True
        self._kill()
        self._events.put(None)
        if not self._started.done():
            self._started.set_exception(_failure("Sandbox.Timedout", "execution environment stopped during startup"))
        if self._running and not self._running[1].done():
            self._running[1].cancel()
        if self._server:
            threading.Thread(target=self._server.shutdown, daemon=True).start()
            self._server.server_close()

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        request_id, answer = payload["invoke-id"], Future()
        started = time.perf_counter()
        with self._one_at_a_time:
            self._lines = []
            self._running = (request_id, answer)
            if self._process is None or self._process.poll() is not None:
                self._events = queue.Queue()
                self._spawn()  # the invocation before this one crashed or timed out: a new cold start
            self._events.put(payload)
            try:
                body, is_error = answer.result(timeout=self.timeout_seconds)
            except FutureTimeout:
                self._kill()
                message = f"RequestId: {request_id} Error: Task timed out after {self.timeout_seconds:.2f} seconds"
                body, is_error = _error("Sandbox.Timedout", message), True
            self._running = None
        time.sleep(0.005)  # lets the last log line through the pipe
        logs = self._logs(request_id, (time.perf_counter() - started) * 1000)
        return InvocationResult(request_id, body, is_error=is_error, logs=logs)

    def get_logs(self) -> str:
        return "".join(self._all_lines)

    def get_address(self) -> str:
        return "127.0.0.1"

    def get_endpoint_from_executor(self) -> str:
        return "127.0.0.1"

    def get_runtime_endpoint(self) -> str:
        return f"http://127.0.0.1:{config.GATEWAY_LISTEN[0].port}/_localstack_lambda/{self.id}"

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        if function_version.config.code:
            function_version.config.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Nothing is kept for a version."""

    @classmethod
    def validate_environment(cls) -> bool:
        return True

    # --- called by the Runtime API ---

    def next_invocation(self) -> dict | None:
        if not self._started.done():
            self._started.set_result(True)
        return self._events.get()

    def init_failed(self, error: bytes) -> None:
        if not self._started.done():
            self._started.set_exception(StatusErrorException("Environment startup failed", payload=error))

    def complete(self, request_id: str, body: bytes, is_error: bool) -> None:
        running = self._running
        if running and running[0] == request_id and not running[1].done():
            running[1].set_result((body, is_error))

    # --- the process ---

    def _spawn(self) -> None:
        folder = str(self.function_version.config.code.get_unzipped_code_location())
        bootstrap = os.path.join(folder, "bootstrap")
        if not os.path.isfile(bootstrap):
            message = f"Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap] (looked in {folder})"
            raise _failure("Runtime.InvalidEntrypoint", message)
        variables = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "HOME": "/tmp",
            **self._variables,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
            "LAMBDA_TASK_ROOT": folder,
        }
        self._started = Future()
        # A session of its own, so that stopping it stops its children, too.
        process = subprocess.Popen([bootstrap], cwd=folder, env=variables, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                                   start_new_session=True)
        self._process = process
        threading.Thread(target=self._watch, args=(process,), daemon=True, name=f"lambda-log-{self.id}").start()

    def _watch(self, process: subprocess.Popen) -> None:
        """Takes the output until the process ends, and fails what it was working on when it ended by itself."""
        for line in process.stdout:
            self._lines.append(line)
            self._all_lines = [*self._all_lines, line][-LOG_LINES:]
        code = process.wait()
        if self._stopped or process is not self._process:
            return
        running = self._running
        request_id = running[0] if running else "-"
        message = f"RequestId: {request_id} Error: Runtime exited with error: exit status {code}"
        error = _error("Runtime.ExitError", message)
        self.init_failed(error)
        self.complete(request_id, error, True)

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        for signal_number, patience_seconds in ((signal.SIGTERM, 1), (signal.SIGKILL, 5)):
            try:
                os.killpg(process.pid, signal_number)
                process.wait(patience_seconds)
                return
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                continue

    def _logs(self, request_id: str, duration_ms: float) -> str:
        """As Lambda writes them to the log group."""
        return (
            f"START RequestId: {request_id} Version: {self.function_version.id.qualifier}\n"
            + "".join(self._lines)[-LOG_CHARACTERS:]
            + f"END RequestId: {request_id}\n"
            f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\tBilled Duration: {int(duration_ms) + 1} ms"
            f"\tMemory Size: {self.function_version.config.memory_size} MB\n"
        )


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


def _failure(kind: str, message: str) -> StatusErrorException:
    return StatusErrorException(message, payload=_error(kind, message))
