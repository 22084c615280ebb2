//! The SQL servers: which column master key names which KMS key, and what it protects.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rand::RngCore as _;
use rand::rngs::StdRng;

use super::keys::{
    self, EXAMS, FAR_ARN, GONE_ARN, HALF_SEEN, IMPORTED, LEGACY, PARTNER, PAYMENTS, PROFILES, REPORTING,
    RETIRED, SEALED, SESSIONS_NEW, STAGING, STRANGER, USER_DATA,
};
use super::{ACCOUNT, HOME, HOSTILE, SQL_BLIND, SQL_PASSWORD, SQL_READER};
use crate::simulator::aws::kms::Kms;
use crate::simulator::sql::state::{
    Column, ColumnKey, ColumnKeyValue, Database, Login, MasterKey, SqlServer,
};
use crate::simulator::world::World;

/// Where a column master key points.
#[derive(Clone, Copy)]
enum Path {
    /// The ARN of the key behind this alias.
    Key(&'static str),
    /// The alias's own ARN.
    Alias(&'static str),
    /// Whatever stands here.
    Text(&'static str),
}

/// How a column key's value is laid out.
#[derive(Clone, Copy, PartialEq)]
enum Layout {
    /// The common envelope around a real KMS ciphertext.
    Envelope,
    /// The envelope, but naming another path than the catalog: the path was edited later.
    StaleEnvelope,
    /// A real KMS ciphertext and nothing around it.
    Bare,
    /// Bytes that only the customer's provider understands.
    Opaque,
}

struct Cmk {
    name: &'static str,
    provider: &'static str,
    path: Path,
    layout: Layout,
    ceks: &'static [Cek],
}

/// A column key and its columns: `Table.Column d|r type`, deterministic or randomized.
type Cek = (&'static str, &'static [&'static str]);

const fn cmk(name: &'static str, path: Path, ceks: &'static [Cek]) -> Cmk {
    Cmk { name, provider: "AWS_KMS", path, layout: Layout::Envelope, ceks }
}

use Path::{Alias, Key, Text};

#[rustfmt::skip]
const PROD: &[Cmk] = &[
    cmk("CMK_UserData", Key(USER_DATA), &[
        ("CEK_User_12345", &["Users.NationalId d", "Users.DateOfBirth r", "Users.HomeAddress r", "Users.Phone d"]),
        ("CEK_User_Email", &["Users.Email d", "Users.RecoveryEmail d", "Newsletter.Email d"]),
        ("CEK_User_Name", &["Users.FirstName r", "Users.LastName d", "Guardians.FullName r"]),
        ("CEK_Guardian", &["Guardians.Email d", "Guardians.Phone d", "Guardians.Address r"]),
        ("CEK_Student_Health", &["StudentHealth.Allergies r", "StudentHealth.Notes r"]),
        ("CEK_Student_Needs", &["StudentHealth.SpecialNeeds r"]),
        ("CEK_Support", &["SupportTickets.Body r", "SupportTickets.Attachment r"]),
    ]),
    // A second master key by way of the alias, in front of the same KMS key.
    cmk("CMK_UserData_ByAlias", Alias(USER_DATA), &[
        ("CEK_Consent", &["Consents.SignedBy d", "Consents.Document r"]),
        ("CEK_Avatar", &["Users.AvatarKey r"]),
    ]),
    cmk("CMK_Payments", Key(PAYMENTS), &[
        ("CEK_Payments", &["Payments.CardNumber d", "Payments.CardHolder r", "Payments.Expiry r"]),
        ("CEK_Payments_Iban", &["Payouts.Iban d", "Payouts.AccountHolder r"]),
        ("CEK_Payments_Tax", &["Payouts.TaxNumber d"]),
        ("CEK_Invoices", &["Invoices.BillingAddress r", "Invoices.VatId d"]),
    ]),
    cmk("CMK_Sessions", Key("buzz-tutor/sessions"), &[
        ("CEK_Session_Token", &["Sessions.Token d", "Sessions.IpAddress r"]),
        ("CEK_Session_Device", &["Sessions.DeviceId d", "Devices.PushToken r"]),
        ("CEK_Refresh_Token", &["Sessions.RefreshToken d"]),
    ]),
    // In mid-rotation: CEK_Session_Token has a value under the old master key and one under this.
    cmk("CMK_Sessions_2026", Key(SESSIONS_NEW), &[
        ("CEK_Session_Token", &[]),
        ("CEK_ApiKeys", &["ApiKeys.Secret d"]),
    ]),
    cmk("CMK_Messages", Key("buzz-tutor/messages"), &[
        ("CEK_Messages_Body", &["Messages.Body r", "Messages.Subject r"]),
        ("CEK_Messages_File", &["Messages.FileKey r"]),
        ("CEK_Video", &["Lessons.RecordingKey r", "Lessons.ChatLog r"]),
    ]),
    Cmk { layout: Layout::Bare, ..cmk("CMK_TutorProfiles", Key(PROFILES), &[
        ("CEK_Tutor_Id", &["Tutors.PassportNumber d", "Tutors.BackgroundCheck r"]),
        ("CEK_Tutor_Bank", &["Tutors.BankAccount d"]),
        ("CEK_Tutor_Review", &["TutorReviews.PrivateNote r"]),
    ])},
    cmk("CMK_Exams", Key(EXAMS), &[
        ("CEK_Exam_Paper", &["Exams.Paper r", "Exams.Solution r"]),
        ("CEK_Exam_Answer", &["ExamAnswers.Answer r"]),
        ("CEK_Exam_Seat", &["ExamSeats.CandidateNumber d"]),
    ]),
    Cmk { layout: Layout::Opaque, ..cmk("CMK_Documents", Key("buzz-tutor/documents-rsa"), &[
        ("CEK_Contracts", &["Contracts.Text r", "Contracts.Signature r"]),
        ("CEK_NDA", &["Ndas.Text r"]),
    ])},
    cmk("CMK_Vault", Key("buzz-tutor/vault-hsm"), &[("CEK_Vault", &["Vault.Secret r", "Vault.Owner d"])]),
    Cmk { provider: "AZURE_KEY_VAULT", layout: Layout::Opaque,
        ..cmk("CMK_Azure", Text("https://buzz-legacy.vault.azure.net/keys/hr/0f5a2f7d5f6e4b0d8a1c"), &[
            ("CEK_HR", &["Employees.Salary r", "Employees.NationalId d"]),
        ])},
    cmk("CMK_Sealed", Key(SEALED), &[("CEK_Sealed", &["Safeguarding.Report r"])]),
    cmk("CMK_HalfSeen", Key(HALF_SEEN), &[("CEK_Feedback", &["Feedback.Comment r"])]),
    cmk("CMK_ByHand", Key("buzz-tutor/rotated-by-hand"), &[("CEK_Waitlist", &["Waitlist.Email d"])]),
    // Nothing is wrapped by it.
    cmk("CMK_Unused", Key("buzz-tutor/tde-production"), &[]),
];

#[rustfmt::skip]
const REPORT: &[Cmk] = &[
    cmk("CMK_Reporting", Key(REPORTING), &[
        ("CEK_Report_Student", &["FactLessons.StudentRef d", "DimStudents.FullName r", "DimStudents.Postcode d"]),
        ("CEK_Report_Tutor", &["DimTutors.FullName r", "DimTutors.Region d"]),
        ("CEK_Report_Revenue", &["FactPayments.CardToken d"]),
        ("CEK_Report_School", &["DimSchools.ContactEmail d"]),
    ]),
    cmk("CMK_UserData", Key(USER_DATA), &[
        ("CEK_User_Report", &["DimUsers.Email d", "DimUsers.BirthYear r"]),
        ("CEK_User_Churn", &["ChurnScores.UserRef d"]),
    ]),
    cmk("CMK_Scores", Key(IMPORTED), &[
        ("CEK_Scores", &["Scores.Value r", "Scores.Candidate d"]),
        ("CEK_Scores_Appeal", &["Appeals.Text r"]),
    ]),
    Cmk { layout: Layout::Opaque, ..cmk("CMK_Scores_Next", Key("buzz-tutor/exam-scores-next"), &[("CEK_Scores_Trial", &["ScoresTrial.Value r"])])},
    Cmk { provider: "AWS_KEY_STORE", ..cmk("CMK_Partner", Key(PARTNER), &[
        ("CEK_Partner_Results", &["PartnerResults.Result r", "PartnerResults.Candidate d"]),
        ("CEK_Partner_School", &["PartnerSchools.Contact r"]),
    ])},
    Cmk { layout: Layout::Opaque, ..cmk("CMK_Ledger", Key(STRANGER), &[("CEK_Ledger", &["PartnerLedger.Amount r"])])},
    cmk("CMK_SchoolBoard", Key("buzz-tutor/school-board-xks"), &[("CEK_Board_Minutes", &["BoardMinutes.Text r"])]),
    Cmk { layout: Layout::Opaque, ..cmk("CMK_Sydney", Text(FAR_ARN), &[("CEK_Sydney", &["SydneySchools.Contact r"])])},
];

#[rustfmt::skip]
const ARCHIVE: &[Cmk] = &[
    cmk("CMK_Legacy", Key(LEGACY), &[
        ("CEK_Legacy", &["OldUsers.NationalId d", "OldUsers.Email d", "OldUsers.Address r"]),
        ("CEK_Legacy_Pay", &["OldPayments.CardNumber d"]),
        ("CEK_Legacy_Chat", &["OldMessages.Body r"]),
    ]),
    Cmk { layout: Layout::StaleEnvelope, ..cmk("CMK_Global", Key(RETIRED), &[
        ("CEK_Global_Users", &["GlobalUsers.Email d", "GlobalUsers.Phone d"]),
        ("CEK_Global_Audit", &["GlobalAudit.Actor d"]),
    ])},
    Cmk { layout: Layout::Opaque, ..cmk("CMK_Lost", Text(GONE_ARN), &[("CEK_Lost", &["OldExams.Answer r", "OldExams.Candidate d"])])},
    Cmk { provider: "MSSQL_CERTIFICATE_STORE", layout: Layout::Opaque,
        ..cmk("CMK_Cert", Text("CurrentUser/My/4C9B1E2F7A3D5C6B8E0F1A2B3C4D5E6F70819203"), &[
            ("CEK_Cert_2017", &["Old2017.Email d"]),
            ("CEK_Cert_2018", &["Old2018.Email d", "Old2018.Phone d"]),
        ])},
    // What an attacker with DDL rights writes to fool the next reader.
    cmk(HOSTILE, Key("buzz-tutor/messages"), &[(HOSTILE, &["Imports.Payload r"])]),
];

#[rustfmt::skip]
const STAGING_DB: &[Cmk] = &[
    cmk("CMK_UserData", Key(STAGING), &[
        ("CEK_User_12345", &["Users.NationalId d", "Users.DateOfBirth r"]),
        ("CEK_User_Email", &["Users.Email d"]),
        ("CEK_Payments", &["Payments.CardNumber d", "Payments.Expiry r"]),
        ("CEK_Messages_Body", &["Messages.Body r"]),
    ]),
    Cmk { layout: Layout::Opaque, ..cmk("CMK_Tde", Key("buzz-tutor/tde-staging"), &[("CEK_Session_Token", &["Sessions.Token d"])])},
];

#[rustfmt::skip]
const CLASSIC: &[Cmk] = &[
    cmk("CMK_Classic", Key(PROFILES), &[
        ("CEK_Classic_Tutor", &["Tutors.PassportNumber d", "Tutors.References r"]),
        ("CEK_Classic_School", &["Schools.Contact r"]),
    ]),
];

/// Fills the servers `buzz-prod-1` (2022), `buzz-staging-1` (2017) and `buzz-classic-1` (2016, which has no
/// columns for enclaves, and is still being encrypted by TDE).
pub(super) fn fill(world: &mut World, now: Timestamp) {
    let World { kms, rng, sql, .. } = world;
    let mut builder = Builder { kms, rng, now };
    let databases = vec![
        builder.database("buzz_prod", 5, PROD),
        builder.database("buzz_report", 6, REPORT),
        Database {
            tde_state: None,
            audit_procedure: false,
            ..without_value(builder.database("buzz_arch", 7, ARCHIVE))
        },
        // The login may not open it.
        Database { accessible: false, ..builder.database("buzz_hr", 8, &[]) },
    ];
    let staging = vec![builder.database("buzz_staging", 5, STAGING_DB)];
    // Draws of its own: what was there before this server came stays as it was.
    let mut apart = builder.rng.clone();
    let mut builder = Builder { kms: builder.kms, rng: &mut apart, now };
    let classic = Database { tde_state: Some(2), ..builder.database("buzz_classic", 5, CLASSIC) };
    for (name, version, databases) in [
        ("buzz-prod-1", 16, databases),
        ("buzz-staging-1", 14, staging),
        ("buzz-classic-1", 13, vec![classic]),
    ] {
        sql.push(SqlServer { name: format!("{name}.sim.internal"), version, logins: logins(), databases });
    }
}

pub(super) fn logins() -> Vec<Login> {
    const MASTER_KEYS: &str = "VIEW ANY COLUMN MASTER KEY DEFINITION";
    let reader = [
        "CONNECT SQL",
        "CONNECT",
        "EXECUTE",
        "VIEW ANY DATABASE",
        "VIEW ANY DEFINITION",
        "VIEW DEFINITION",
        "VIEW SERVER STATE",
        "VIEW DATABASE STATE",
        MASTER_KEYS,
        "VIEW ANY COLUMN ENCRYPTION KEY DEFINITION",
        "ALTER ANY COLUMN MASTER KEY",
        "ALTER ANY COLUMN ENCRYPTION KEY",
    ];
    let login = |user: &str, permissions: &[&str]| Login {
        user: user.to_owned(),
        password: SQL_PASSWORD.to_owned(),
        permissions: permissions.iter().map(|&name| name.to_owned()).collect(),
    };
    let blind: Vec<&str> = reader
        .into_iter()
        .filter(|name| *name != MASTER_KEYS && !name.starts_with("ALTER") && !name.ends_with("DEFINITION"))
        .chain(["VIEW ANY COLUMN ENCRYPTION KEY DEFINITION"])
        .collect();
    vec![login(SQL_READER, &reader), login(SQL_BLIND, &blind)]
}

struct Builder<'a> {
    kms: &'a mut Kms,
    rng: &'a mut StdRng,
    now: Timestamp,
}

impl Builder<'_> {
    fn database(&mut self, name: &str, database_id: i32, cmks: &[Cmk]) -> Database {
        let mut database = Database {
            name: name.to_owned(),
            database_id,
            state_desc: "ONLINE".to_owned(),
            accessible: true,
            tde_state: Some(3),
            audit_procedure: true,
            ..Database::default()
        };
        for cmk in cmks {
            self.master_key(&mut database, cmk);
        }
        database
    }

    fn master_key(&mut self, database: &mut Database, cmk: &Cmk) {
        let column_master_key_id = next_id(database.master_keys.len());
        let key_path = self.path(cmk.path);
        let created = self.key_age(cmk.path) + SignedDuration::from_hours(24);
        database.master_keys.push(MasterKey {
            name: cmk.name.to_owned(),
            column_master_key_id,
            create_date: created,
            modify_date: created,
            key_store_provider_name: cmk.provider.to_owned(),
            key_path: key_path.clone(),
            allow_enclave_computations: false,
        });
        for (name, columns) in cmk.ceks {
            let column_encryption_key_id = column_key(database, name, created);
            add_columns(database, column_encryption_key_id, columns);
            let encrypted_value = self.value(cmk, &key_path);
            database.values.push(ColumnKeyValue {
                column_encryption_key_id,
                column_master_key_id,
                encrypted_value,
                encryption_algorithm_name: "RSA_OAEP".to_owned(),
            });
        }
    }

    fn path(&self, path: Path) -> String {
        match path {
            Key(alias) => keys::arn_behind(self.kms, alias),
            Alias(alias) => format!("arn:aws:kms:{HOME}:{ACCOUNT}:alias/{alias}"),
            Text(text) => text.to_owned(),
        }
    }

    fn key_age(&self, path: Path) -> Timestamp {
        match path {
            Key(alias) | Alias(alias) => keys::behind(self.kms, alias).map(|key| key.created),
            Text(_) => None,
        }
        .unwrap_or_else(|| super::ago(self.now, 700))
    }

    /// A fresh column key, wrapped as its provider wraps it.
    fn value(&mut self, cmk: &Cmk, key_path: &str) -> Vec<u8> {
        let path = match cmk.layout {
            Layout::StaleEnvelope => GONE_ARN,
            _ => key_path,
        };
        match (cmk.layout, self.wrapped(cmk.path)) {
            (Layout::Envelope | Layout::StaleEnvelope, Some(ciphertext)) => envelope(path, &ciphertext),
            (Layout::Bare, Some(ciphertext)) => ciphertext,
            _ => self.opaque(),
        }
    }

    /// The ciphertext of a column key under the first material of its KMS key: rotation wraps nothing anew.
    fn wrapped(&mut self, path: Path) -> Option<Vec<u8>> {
        let (Key(alias) | Alias(alias)) = path else { return None };
        let id = keys::behind(self.kms, alias)?.id.clone();
        let key = self.kms.key_mut(HOME, &id)?;
        if key.materials.is_empty() {
            return None;
        }
        let later = key.materials.split_off(1);
        let mut plaintext = [0; 32];
        self.rng.fill_bytes(&mut plaintext);
        let ciphertext = key.wrap(&plaintext, &BTreeMap::new(), self.rng).ok();
        key.materials.extend(later);
        ciphertext
    }

    fn opaque(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 344];
        self.rng.fill_bytes(&mut bytes);
        bytes[0] = 0x02;
        bytes
    }
}

/// `0x01 | path length | ciphertext length | path, UTF-16LE, lower case | ciphertext`, lengths in bytes, u16le.
pub(super) fn envelope(path: &str, ciphertext: &[u8]) -> Vec<u8> {
    let path: Vec<u8> = path.to_lowercase().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_le_bytes();
    let mut value = vec![0x01];
    value.extend(length(&path));
    value.extend(length(ciphertext));
    value.extend(&path);
    value.extend(ciphertext);
    value
}

/// With a column key of which the catalog shows no value, and the columns that nobody can open for it.
fn without_value(mut database: Database) -> Database {
    let created = database.column_keys.last().map_or(Timestamp::UNIX_EPOCH, |key| key.create_date);
    let id = column_key(&mut database, "CEK_Torn", created);
    add_columns(&mut database, id, &["OldDrafts.Text r", "OldDrafts.Author d"]);
    database
}

/// The id of the column key of this name, made now if it is new.
fn column_key(database: &mut Database, name: &str, created: Timestamp) -> i32 {
    if let Some(key) = database.column_keys.iter_mut().find(|key| key.name == name) {
        key.modify_date = created;
        return key.column_encryption_key_id;
    }
    let column_encryption_key_id = next_id(database.column_keys.len());
    database.column_keys.push(ColumnKey {
        name: name.to_owned(),
        column_encryption_key_id,
        create_date: created,
        modify_date: created,
    });
    column_encryption_key_id
}

fn add_columns(database: &mut Database, column_encryption_key_id: i32, columns: &[&str]) {
    for column in columns {
        let (place, kind) = column.rsplit_once(' ').unwrap_or((column, "r"));
        let (table, name) = place.split_once('.').unwrap_or(("Misc", place));
        let siblings: Vec<&Column> = database.columns.iter().filter(|other| other.table == table).collect();
        let object_id = siblings.first().map_or_else(|| table_id(database), |sibling| sibling.object_id);
        // The plain columns come first: an identity and a creation date at least.
        let column_id = next_id(siblings.len()) + 2;
        database.columns.push(Column {
            schema: "dbo".to_owned(),
            table: table.to_owned(),
            object_id,
            column_id,
            name: name.to_owned(),
            encryption_type: if kind == "d" { 1 } else { 2 },
            encryption_algorithm_name: "AEAD_AES_256_CBC_HMAC_SHA_256".to_owned(),
            column_encryption_key_id,
            key_database: None,
        });
    }
}

/// A new table's object id, spread out as SQL Server's are.
fn table_id(database: &Database) -> i32 {
    let highest = database.columns.iter().map(|column| column.object_id).max().unwrap_or(581_577_110);
    highest + 32_000_114 / 2
}

pub(super) fn next_id(count: usize) -> i32 {
    i32::try_from(count + 1).unwrap_or(i32::MAX)
}
