//! What a person types where the program is not to be had: the same step by the AWS CLI.

use super::kind::{Change, Check, StepKind, Verify};

/// The commands that come to the same as the step, one a line; empty where there is nothing to type.
///
/// Capitals are to be filled in. Source: the AWS CLI's command reference.
pub(super) fn commands(kind: &StepKind) -> Vec<String> {
    let lines: &[&str] = match kind {
        StepKind::Check(check) => check_by_hand(check),
        StepKind::Verify(verify) => verify_by_hand(verify),
        StepKind::Change(change) => return change_by_hand(*change),
        StepKind::AssumeRole { .. } => &[
            "aws sts assume-role --role-arn ROLE-ARN --role-session-name INCIDENT --source-identity YOU --serial-number MFA-DEVICE --token-code CODE --tags Key=EmergencyAccess,Value=true Key=Environment,Value=ENVIRONMENT",
        ],
        StepKind::Notify => {
            &["aws sns publish --topic-arn TOPIC-ARN --subject SUBJECT --message file://MESSAGE"]
        }
        StepKind::Audit => &[
            "EXEC dbo.LogEmergencyKeyRevocation … (SQL Server, with parameters: the reason is text that anybody could have typed)",
        ],
        StepKind::Ask { value, .. } => match value {
            super::Value::Grant => &["aws kms list-grants --key-id KEY-ARN"],
            super::Value::Principal => &[
                "aws cloudtrail lookup-events --lookup-attributes AttributeKey=ResourceName,AttributeValue=KEY-ARN",
            ],
            super::Value::DeniedPrincipal => {
                &["aws kms get-key-policy --key-id KEY-ARN --policy-name default --output text"]
            }
            super::Value::DbInstance => &[
                "aws rds describe-db-instances --query 'DBInstances[?KmsKeyId==`KEY-ARN`].[DBInstanceIdentifier,DBInstanceStatus]'",
            ],
            super::Value::NewKey | super::Value::Material => &[],
        },
        StepKind::Manual { .. }
        | StepKind::Approval { .. }
        | StepKind::Wait { .. }
        | StepKind::Choose { .. } => &[],
    };
    lines.iter().map(|line| (*line).to_owned()).collect()
}

const STATE: &[&str] = &[
    "aws kms describe-key --key-id KEY-ARN --query 'KeyMetadata.[KeyState,DeletionDate,CurrentKeyMaterialId]'",
];

fn check_by_hand(check: &Check) -> &'static [&'static str] {
    match check {
        Check::State { .. } | Check::Gone | Check::Material => STATE,
        Check::Administrable => {
            &["aws kms get-key-policy --key-id KEY-ARN --policy-name default --output text"]
        }
        Check::Grants { .. } => &["aws kms list-grants --key-id KEY-ARN"],
        Check::Users { .. } => &[
            "aws cloudtrail lookup-events --lookup-attributes AttributeKey=ResourceName,AttributeValue=KEY-ARN",
        ],
        Check::Rotation => &[
            "aws kms get-key-rotation-status --key-id KEY-ARN",
            "aws kms list-key-rotations --key-id KEY-ARN",
        ],
        Check::Storage => &[
            "aws rds describe-db-instances --query 'DBInstances[?KmsKeyId==`KEY-ARN`].[DBInstanceIdentifier,DBInstanceStatus]'",
        ],
        Check::Relatives => &[
            "aws kms describe-key --key-id KEY-ARN --query KeyMetadata.MultiRegionConfiguration",
            "aws kms describe-key --region OTHER-REGION --key-id MRK-ID --query KeyMetadata.KeyState",
        ],
        Check::ColumnKeys => &[
            "SELECT k.name, m.name, m.key_path FROM sys.column_encryption_key_values v JOIN sys.column_encryption_keys k ON k.column_encryption_key_id = v.column_encryption_key_id JOIN sys.column_master_keys m ON m.column_master_key_id = v.column_master_key_id (in each database)",
        ],
    }
}

fn verify_by_hand(verify: &Verify) -> &'static [&'static str] {
    match verify {
        Verify::State { .. } => STATE,
        Verify::NewMaterial | Verify::Rotated { .. } => &[
            "aws kms list-key-rotations --key-id KEY-ARN --include-key-material ALL_KEY_MATERIAL (CURRENT must be another id than before)",
        ],
        Verify::ClientsWorking | Verify::PrincipalCutOff => {
            check_by_hand(&Check::Users { since: jiff::SignedDuration::ZERO })
        }
        Verify::RdsAvailable => check_by_hand(&Check::Storage),
        Verify::Rewrapped => check_by_hand(&Check::ColumnKeys),
    }
}

fn change_by_hand(change: Change) -> Vec<String> {
    let line = match change {
        Change::DisableKey => "aws kms disable-key --key-id KEY-ARN".to_owned(),
        Change::EnableKey => "aws kms enable-key --key-id KEY-ARN".to_owned(),
        Change::CancelKeyDeletion => "aws kms cancel-key-deletion --key-id KEY-ARN".to_owned(),
        Change::ScheduleKeyDeletion { days } => {
            format!("aws kms schedule-key-deletion --key-id KEY-ARN --pending-window-in-days {days}")
        }
        Change::EnableKeyRotation { period_days } => {
            format!("aws kms enable-key-rotation --key-id KEY-ARN --rotation-period-in-days {period_days}")
        }
        Change::RotateKeyOnDemand => "aws kms rotate-key-on-demand --key-id KEY-ARN".to_owned(),
        Change::RevokeGrant => "aws kms revoke-grant --key-id KEY-ARN --grant-id GRANT-ID".to_owned(),
        Change::DenyPrincipal => {
            "aws kms put-key-policy --key-id KEY-ARN --policy-name default --policy file://POLICY (the policy as it is, with a Deny statement for PRINCIPAL; never --bypass-policy-lockout-safety-check)".to_owned()
        }
        Change::AllowPrincipal => {
            "aws kms put-key-policy --key-id KEY-ARN --policy-name default --policy file://POLICY (the policy as it is, without that Deny statement)".to_owned()
        }
        Change::StartDbInstance => {
            "aws rds start-db-instance --db-instance-identifier DB-INSTANCE".to_owned()
        }
    };
    vec![line]
}
