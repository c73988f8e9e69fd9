"""Bulk API 2.0 by simple-salesforce, in an org of 5,000 leads."""

import tempfile
from csv import DictReader

from simple_salesforce import Salesforce
from simple_salesforce.bulk2 import ColumnDelimiter, LineEnding, Operation

from transcript import emulator, org, session, tell as told


def tell(call):
    return told(call, globals())


def rows(text, **dialect):
    return list(DictReader(text.splitlines(), **dialect))


emulator("schema", {"add_field": {"object": "Account", "field": "Key__c", "definition": {"type": "string", "external_id": True}}})
sf = Salesforce(
    username=org["username"], password=org["password"], security_token=org["security_token"], session=session()
)
bulk, quick = sf.bulk2.Account, {"wait": 0.01}

# Queries.
tell("[len(rows(page)) for page in sf.bulk2.Lead.query('SELECT Id, Name FROM Lead', max_records=2000, **quick)]")
tell("next(sf.bulk2.Lead.query('SELECT Id, Name FROM Lead', **quick)).splitlines()[0]")
tell("list(sf.bulk2.Lead.query('SELECT Id FROM Lead WHERE Id = null', **quick))")
tell("next(sf.bulk2.Lead.query('SELECT Id, IsDeleted FROM Lead', column_delimiter=ColumnDelimiter.PIPE, line_ending=LineEnding.CRLF, **quick)).split('\\r\\n')[0]")
tell("list(sf.bulk2.Lead.query('SELECT Nmae FROM Lead', **quick))")
with tempfile.TemporaryDirectory() as folder:
    tell("[page['number_of_records'] for page in sf.bulk2.Lead.download('SELECT Id, Name FROM Lead', folder, max_records=3000, **quick)]")


# Rows.
def counts(results):
    """Without the job's id."""
    return [{key: value for key, value in result.items() if key != "job_id"} for result in results]


tell("counts(bulk.insert(records=[{'Name': 'A', 'Key__c': 'k1'}, {'Name': '', 'Key__c': 'k2'}, {'Name': 'C, \"quoted\"', 'Key__c': 'k3'}], **quick))")
tell("counts(bulk.insert(records=[{'Name': f'Row {n}', 'Key__c': f'r{n}'} for n in range(500)], batch_size=200, concurrency=2, **quick))")
failing = bulk.insert(records=[{"Name": "", "Key__c": "x"}, {"Name": "X", "Key__c": "y"}], **quick)[0]["job_id"]
tell("[(row['sf__Error'], row['Key__c']) for row in rows(bulk.get_failed_records(failing))]")
tell("[(row['sf__Created'], row['Name']) for row in rows(bulk.get_successful_records(failing))]")
tell("sorted(bulk.get_unprocessed_records(failing).splitlines()[0].split(','))")
tell("{kind: len(found) for kind, found in bulk.get_all_ingest_records(failing).items()}")
tell("counts(bulk.upsert(records=[{'Name': 'One', 'Key__c': 'k1'}, {'Name': 'Four', 'Key__c': 'k4'}], external_id_field='Key__c', **quick))")
tell("sf.Account.get_by_custom_id('Key__c', 'k3')['Name']")
ids = [{"Id": record["Id"]} for record in sf.query_all("SELECT Id FROM Account WHERE Key__c LIKE 'k%'")["records"]]
tell("counts(bulk.update(records=[{**one, 'Phone': '1'} for one in ids], column_delimiter=ColumnDelimiter.TAB, line_ending=LineEnding.CRLF, **quick))")
tell("counts(bulk.delete(records=ids, **quick))")
tell("counts(bulk.hard_delete(records=ids[:1], **quick))")
tell("bulk.insert(records=[{'Nmae': 'A'}], **quick)")
tell("sf.bulk2.Nonsense.insert(records=[{'Name': 'A'}], **quick)")
tell("[len(rows(page)) for page in sf.bulk2.Account.query_all('SELECT Id, IsDeleted FROM Account WHERE IsDeleted = true', **quick)]")

# Step by step.
client = bulk._client
job = client.create_job(Operation.insert)["id"]
tell("client.upload_job_data(job, 'Name\\nSlowly\\n')")
tell("client.close_job(job)['state']")
tell("client.wait_for_job(job, False, 0.01)")
tell("client.get_job(job, False)['numberRecordsProcessed']")
tell("client.abort_job(job, False)")
