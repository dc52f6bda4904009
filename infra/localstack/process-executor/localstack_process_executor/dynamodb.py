"""Lets LocalStack use another DynamoDB engine than DynamoDB Local, which it would download.

LocalStack starts DynamoDB Local as a process and forwards to it (provider `v2`). This starts another command in its
place, by the environment variables
  LS_DYNAMODB_COMMAND   the command line, with {port} in it
  LS_DYNAMODB_REGION    the region that the engine puts into ARNs (DynamoDB Local: ddblocal)
Also set PROVIDER_OVERRIDE_DYNAMODB=v2 and PROVIDER_OVERRIDE_DYNAMODBSTREAMS=v2.
"""

import logging
import os
import re
import shlex

LOG = logging.getLogger(__name__)
DYNAMODB_LOCAL_REGION = "ddblocal"


def install() -> None:
    command = os.environ.get("LS_DYNAMODB_COMMAND")
    if not command:
        return
    _start_instead(command)
    region = os.environ.get("LS_DYNAMODB_REGION", DYNAMODB_LOCAL_REGION)
    if region != DYNAMODB_LOCAL_REGION:
        _rewrite_arns_of(region)
    LOG.info("DynamoDB engine: %s", command)


def _start_instead(command: str) -> None:
    from localstack.services.dynamodb.server import DynamodbServer, _log_listener
    from localstack.utils.common import TMP_THREADS, ShellCommandThread

    def do_start_thread(self):
        arguments = [argument.format(port=self.port) for argument in shlex.split(command)]
        thread = ShellCommandThread(arguments, strip_color=True, log_listener=_log_listener, auto_restart=True,
                                    name="dynamodb-engine")
        TMP_THREADS.append(thread)
        thread.start()
        return thread

    DynamodbServer.do_start_thread = do_start_thread


def _rewrite_arns_of(region: str) -> None:
    """LocalStack looks for DynamoDB Local's region wherever it turns the engine's ARNs into its own, and back."""
    from localstack.services.dynamodb import utils
    from localstack.services.dynamodb.v2.provider import DynamoDBProvider
    from localstack.services.dynamodbstreams.v2.provider import DynamoDBStreamsProvider

    for name in [name for name in vars(utils) if name.startswith("_ddb_local_")]:
        pattern = getattr(utils, name)
        if isinstance(pattern, re.Pattern):
            setattr(utils, name, re.compile(pattern.pattern.replace(DYNAMODB_LOCAL_REGION, region), pattern.flags))

    def modify_stream_arn(self, stream_arn: str) -> str:
        if not stream_arn.startswith("arn:"):
            return stream_arn
        return f"arn:aws:dynamodb:{region}:000000000000:{stream_arn.split(':', 5)[5]}"

    DynamoDBStreamsProvider.modify_stream_arn_for_ddb_local = modify_stream_arn

    fix_table_arn = DynamoDBProvider.fix_table_arn

    def fix_own_table_arn(self, account_id: str, region_name: str, arn: str) -> str:
        return fix_table_arn(self, account_id, region_name, arn.replace(f":{region}:", f":{DYNAMODB_LOCAL_REGION}:"))

    DynamoDBProvider.fix_table_arn = fix_own_table_arn
