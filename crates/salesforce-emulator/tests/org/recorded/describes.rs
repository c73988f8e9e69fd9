//! Recorded descriptions of objects against ours: whole ones, and the shorter ones that the editor tooling keeps.

use salesforce_emulator::org::Feature;
use salesforce_emulator::{Config, Settings};
use serde_json::{Map, Value as Json};

use super::compare::Comparison;
use super::exchanges::fixture;
use crate::client::{Client, still};

/// A description of an object as somebody recorded it.
struct Recording {
    file: &'static str,
    /// The API version it was asked at.
    version: &'static str,
    /// What the comparison leaves out: a member of the object, `.member` or `Name.member` of its fields,
    /// `childRelationships.Object`.
    except: &'static [&'static str],
    /// Fields that only one of the orgs has.
    fields: &'static [&'static str],
}

const fn recording(file: &'static str, version: &'static str) -> Recording {
    Recording { file, version, except: &[], fields: &[] }
}

/// Complete descriptions.
const WHOLE: [Recording; 11] = [
    // Required there, which a field of ours cannot be without a record to refer to.
    Recording { except: &["ns__LinkedAccount__c.nillable"], ..recording("Account", "48.0") },
    // Appointments of cases came later.
    Recording { except: &["childRelationships.ServiceAppointment"], ..recording("Case", "48.0") },
    recording("Contact", "62.0"),
    // A custom setting, of which the recorder left three fields and no addresses.
    Recording {
        except: &["customSetting", "triggerable", "urls"],
        fields: &[
            "OwnerId",
            "IsDeleted",
            "CreatedDate",
            "CreatedById",
            "LastModifiedDate",
            "LastModifiedById",
            "SystemModstamp",
        ],
        ..recording("Custom__c", "62.0")
    },
    recording("Event", "62.0"),
    recording("Lead", "59.0"),
    recording("Opportunity", "62.0"),
    recording("OpportunityContactRole", "48.0"),
    recording("Campaign", "42.0"),
    recording("Topic", "42.0"),
    // Ten years old: picklists were shorter (and their values are lost), checkboxes told no default.
    Recording {
        except: &[".picklistValues", ".defaultValue", ".length", ".byteLength"],
        fields: &[
            "IndividualId",
            "SICCode__c",
            "ProductInterest__c",
            "Primary__c",
            "CurrentGenerators__c",
            "NumberofLocations__c",
        ],
        ..recording("Lead-v36", "36.0")
    },
];

/// Descriptions of 15 members to a field, in an order of the tool's own.
const KEPT_BY_TOOLING: [Recording; 13] = [
    Recording { fields: &["CampaignImageId"], ..recording("tooling-Campaign", "67.0") },
    recording("tooling-ContractLineItem", "67.0"),
    recording("tooling-Entitlement", "67.0"),
    recording("tooling-MessagingSession", "67.0"),
    Recording {
        fields: &[
            "PushCount",
            "lwrfileupload__DeliveryInstallationStatus__c",
            "lwrfileupload__TrackingNumber__c",
            "lwrfileupload__OrderNumber__c",
            "lwrfileupload__CurrentGenerators__c",
            "lwrfileupload__MainCompetitors__c",
        ],
        ..recording("tooling-Opportunity", "67.0")
    },
    // That a checkbox has a default was lost where the platform, not the client, leaves it out.
    Recording { except: &[".defaultValue"], ..recording("tooling-PushTopic", "67.0") },
    Recording {
        except: &["IsOffsiteAppointment.defaultValue", "Address.nillable"],
        ..recording("tooling-ServiceAppointment", "67.0")
    },
    recording("tooling-ServiceContract", "67.0"),
    recording("tooling-StreamingChannel", "67.0"),
    recording("tooling-Task", "67.0"),
    Recording { except: &[".defaultValue", "childRelationships.Custom__c"], ..recording("tooling-User", "67.0") },
    recording("tooling-WorkOrder", "67.0"),
    recording("tooling-WorkOrderLineItem", "67.0"),
];

/// Members that later API versions added; ours are told at every version.
const NEWER: [&str; 21] = [
    "aiPredictionField",
    "associateEntityType",
    "associateParentEntity",
    "childRelationships",
    "compoundFieldName",
    "deepCloneable",
    "defaultImplementation",
    "extendedBy",
    "extendsInterfaces",
    "formulaTreatNullNumberAsZero",
    "hasSubtypes",
    "implementedBy",
    "implementsInterfaces",
    "isInterface",
    "isSubtype",
    "polymorphicForeignKey",
    "recordTypeInfos",
    "searchPrefilterable",
    "sobjectDescribeOption",
    "supportedScopes",
    "urls",
];

async fn client(without: &[Feature]) -> Client {
    Client::with(Config { settings: Settings { without: without.to_vec(), ..still() }, ..Config::default() }).await
}

#[tokio::test]
async fn whole() {
    // The recorded orgs lacked these.
    let client = client(&[Feature::Chat, Feature::Messaging, Feature::Quotes, Feature::Entitlements]).await;
    for recording in &WHOLE {
        let (ours, recorded) = both(&client, recording).await;
        let ours = drop_newer(&ours, &recorded);
        Comparison::default().assert_same(recording.file, &ours, &recorded);
    }
}

#[tokio::test]
async fn kept_by_tooling() {
    let client = client(&[Feature::Chat, Feature::Quotes, Feature::OmniChannel]).await;
    for recording in &KEPT_BY_TOOLING {
        let (ours, recorded) = both(&client, recording).await;
        let ours = in_order_of(&ours, &recorded);
        Comparison::default().assert_same(recording.file, &ours, &recorded);
    }
}

/// Our description and the recorded one, without what the recording excepts.
async fn both(client: &Client, recording: &Recording) -> (Json, Json) {
    let recorded = fixture(&format!("describe/{}.json", recording.file));
    let version = format!("/v{}/", recording.version);
    let mut recorded: Json = serde_json::from_str(&recorded.replace("/vxx.0/", &version)).unwrap();
    let name = recorded["name"].as_str().unwrap();
    let mut ours = client.get(&format!("/services/data{version}sobjects/{name}/describe")).await.json();

    let objects = client.emulator.org().schema();
    if let Some(children) = recorded.get_mut("childRelationships").and_then(Json::as_array_mut) {
        children.retain(|child| objects.object(child["childSObject"].as_str().unwrap()).is_some());
    }
    for description in [&mut ours, &mut recorded] {
        let fields = description["fields"].as_array_mut().unwrap();
        fields.retain(|field| !recording.fields.contains(&field["name"].as_str().unwrap()));
        for field in fields {
            let name = field["name"].as_str().unwrap().to_owned();
            let field = field.as_object_mut().unwrap();
            field.retain(|member, _| !excepted(recording, &name, member));
            // Longer picklists are cut in the fixtures, and the tooling says so.
            field.remove("_picklistTruncated");
            if let Some(values) = field.get_mut("picklistValues").and_then(Json::as_array_mut) {
                values.truncate(60);
            }
        }
        let children = description.get_mut("childRelationships").and_then(Json::as_array_mut);
        children.into_iter().for_each(|children| {
            children
                .retain(|child| !excepted(recording, "childRelationships", child["childSObject"].as_str().unwrap()));
        });
        description.as_object_mut().unwrap().retain(|member, _| !recording.except.contains(&&**member));
    }
    (ours, recorded)
}

fn excepted(recording: &Recording, field: &str, member: &str) -> bool {
    let what = format!("{field}.{member}");
    recording.except.iter().any(|except| what == **except || except.strip_prefix('.') == Some(member))
}

/// Ours without the members that the recording is too old to have.
fn drop_newer(ours: &Json, recorded: &Json) -> Json {
    match (ours, recorded) {
        (Json::Object(ours), Json::Object(recorded)) => {
            let kept = ours.iter().filter(|(name, _)| recorded.contains_key(*name) || !NEWER.contains(&&***name));
            kept.map(|(name, value)| (name.clone(), drop_newer(value, &recorded[name]))).collect::<Map<_, _>>().into()
        }
        (Json::Array(ours), Json::Array(recorded)) => {
            let pairs = ours.iter().enumerate();
            pairs.map(|(nth, value)| drop_newer(value, recorded.get(nth).unwrap_or(&Json::Null))).collect()
        }
        _ => ours.clone(),
    }
}

/// Of ours, the members that the recording has, in its order.
fn in_order_of(ours: &Json, recorded: &Json) -> Json {
    match (ours, recorded) {
        (Json::Object(ours), Json::Object(recorded)) => {
            let kept = recorded.iter().filter_map(|(name, value)| Some((name, ours.get(name)?, value)));
            kept.map(|(name, ours, recorded)| (name.clone(), in_order_of(ours, recorded))).collect::<Map<_, _>>().into()
        }
        (Json::Array(ours), Json::Array(recorded)) => {
            let pairs = ours.iter().enumerate();
            pairs.map(|(nth, value)| in_order_of(value, recorded.get(nth).unwrap_or(&Json::Null))).collect()
        }
        _ => ours.clone(),
    }
}
