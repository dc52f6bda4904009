"""What LocalStack finds by entry points. The real modules are imported only when LocalStack asks for them."""

from localstack.runtime import hooks
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin


class ProcessRuntimeExecutorPlugin(RuntimeExecutorPlugin):
    name = "process"

    def load(self, *args, **kwargs):
        from localstack_process_executor.executor import ProcessRuntimeExecutor

        return ProcessRuntimeExecutor


@hooks.on_infra_start()
def use_own_dynamodb_engine():
    from localstack_process_executor import dynamodb

    dynamodb.install()
