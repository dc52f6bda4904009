"""LocalStack without Docker: Lambda functions as processes, and a DynamoDB engine of one's own."""
