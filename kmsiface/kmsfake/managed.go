package kmsfake

import "strings"

// managedData is what the descriptions of AWS managed keys say they protect, by
// the name of their alias without alias/aws/.
var managedData = map[string]string{
	"acm":               "ACM private keys",
	"backup":            "Backup data",
	"codecommit":        "CodeCommit repositories",
	"dynamodb":          "DynamoDB data",
	"ebs":               "EBS volumes",
	"elasticfilesystem": "EFS filesystems",
	"es":                "Elasticsearch data",
	"glue":              "Glue data",
	"kinesis":           "Kinesis streams",
	"lambda":            "Lambda functions",
	"rds":               "RDS database volumes",
	"redshift":          "Redshift clusters",
	"s3":                "S3 objects",
	"secretsmanager":    "Secrets Manager data",
	"sns":               "SNS data",
	"sqs":               "SQS messages",
	"ssm":               "SSM parameters",
	"workspaces":        "WorkSpaces volumes",
}

// managedDescription is the description that AWS gives its managed key of an
// alias.
func managedDescription(alias string) string {
	service := strings.TrimPrefix(strings.TrimPrefix(alias, "alias/"), "aws/")
	data, ok := managedData[service]
	if !ok {
		data = service + " data"
	}
	return "Default key that protects my " + data + " when no other key is defined"
}
