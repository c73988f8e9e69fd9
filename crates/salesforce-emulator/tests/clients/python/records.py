"""Records, queries and descriptions by simple-salesforce, in an org of 5,000 leads."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

from simple_salesforce import Salesforce, format_external_id, format_soql

from transcript import emulator, org, session, tell as told


def tell(call):
    return told(call, globals())


emulator("schema", {"add_field": {"object": "Account", "field": "Key__c", "definition": {"type": "string", "external_id": True}}})
sf = Salesforce(
    username=org["username"], password=org["password"], security_token=org["security_token"], session=session()
)

# One record.
id = tell("sf.Account.create({'Name': 'Acme', 'NumberOfEmployees': 7, 'AnnualRevenue': 1.5})['id']")
tell("[sf.Account.get(id)[name] for name in ('Name', 'NumberOfEmployees', 'AnnualRevenue', 'Industry')]")
tell("sf.Account.get(id, params={'fields': 'Name,Industry'})")
tell("sf.Account.update(id, {'Name': 'Acme GmbH'})")
tell("sf.Account.update(id, {'Name': 'Acme AG'}, raw_response=True).status_code")
tell("sf.Account.create({'Name': ''})")
tell("sf.Account.create({'Nmae': 'Acme'})")
tell("sf.Account.create({'Name': 'Acme', 'Industry': 3, 'OwnerId': 'nobody'})")
tell("sf.Account.delete(id)")
tell("sf.Account.get(id)")
tell("sf.Nonsense__c.create({'Name': 'Acme'})")

# By external id.
tell("sf.Account.upsert('Key__c/k1', {'Name': 'One'})")
tell("sf.Account.upsert('Key__c/k1', {'Name': 'Uno'})")
tell("sf.Account.upsert(format_external_id('Key__c', 'a/b+c'), {'Name': 'Odd'})")
tell("sf.Account.get_by_custom_id('Key__c', 'k1')['Name']")
tell("sf.Account.get_by_custom_id('Key__c', 'a/b+c')['Name']")
tell("sf.Account.get_by_custom_id('Key__c', 'absent')")
tell("[sf.Account.create({'Name': 'Twin', 'Key__c': 'twin'})['success'] for _ in 'ab']")
tell("sf.Account.get_by_custom_id('Key__c', 'twin')")
tell("sf.Account.upsert('Key__c/twin', {'Name': 'Which'})")

# Queries.
tell("{key: value for key, value in sf.query('SELECT Id FROM Lead').items() if key in ('totalSize', 'done')}")
tell("len(sf.query_more(sf.query('SELECT Id FROM Lead')['nextRecordsUrl'], identifier_is_url=True)['records'])")
tell("len(sf.query_more(sf.query('SELECT Id FROM Lead')['nextRecordsUrl'].split('/')[-1])['records'])")
tell("len({record['Id'] for record in sf.query_all('SELECT Id FROM Lead')['records']})")
tell("sum(1 for record in sf.query_all_iter('SELECT Id, Name FROM Lead', headers={'Sforce-Query-Options': 'batchSize=500'}))")
tell("sf.query_all('SELECT Name FROM Account WHERE IsDeleted = true', include_deleted=True)['records'][0]['Name']")
tell("sf.query(format_soql('SELECT Name FROM Account WHERE Name IN {names} AND CreatedDate > {then}', names=['Uno', \"O'Neill\"], then=datetime(2000, 1, 1, tzinfo=timezone.utc)))['records'][0]['Name']")
tell("sf.query(format_soql('SELECT Name FROM Account WHERE Name LIKE \\'{:like}%\\'', 'U'))['totalSize']")
tell("sf.query('SELECT Nmae FROM Account')")
tell("sf.query('SELECT Id FROM')")
tell("sf.query_more('nonsense')")

# Descriptions.
tell("sf.describe()['maxBatchSize']")
tell("[field['name'] for field in sf.Account.describe()['fields']][:3]")
tell("sf.Account.metadata()['objectDescribe']['label']")
tell("sf.Nonsense.describe()")
tell("sf.limits()['DailyApiRequests']['Max']")
tell("sf.api_usage['api-usage'].total")
tell("sf.is_sandbox()")
tell("sf.query('SELECT Id, Name, OrganizationType, InstanceName FROM Organization')['totalSize']")

# Replication: whole minutes.
emulator("clock", {"advance": 120})
now = datetime(2026, 1, 1, tzinfo=timezone.utc)
tell("sf.Account.deleted(now - timedelta(minutes=5), now + timedelta(minutes=1))")
tell("sf.Account.updated(now - timedelta(minutes=5), now + timedelta(minutes=1))")

# By hand.
tell("sf.restful('sobjects/Account/Key__c/k1', params={'fields': 'Name'})['Name']")
tell("sf.restful('limits/recordCount', params={'sObjects': 'Lead'})")
tell("sf.restful('composite/sobjects', method='POST', json={'records': [{'attributes': {'type': 'Account'}, 'Name': 'A'}, {'attributes': {'type': 'Account'}}]})")
tell("sf.restful('composite/sobjects/Account/Key__c', method='PATCH', json={'records': [{'attributes': {'type': 'Account'}, 'Key__c': 'k1', 'Name': '1'}]})")
tell("sf.restful('sobjects/Account/Key__c/k1', method='PATCH', json={'Name': 'One again'})")
tell("sf.restful('nonsense')")
tell("sf.restful('composite/sobjects', method='DELETE', params={'ids': id})")

# A file.
parent = sf.Account.create({"Name": "With a file"})["id"]
file = sf.Attachment.create({"ParentId": parent, "Name": "hello.txt", "Body": "aGVsbG8="})["id"]
tell("sf.Attachment.get_base64(file).decode()")
tell("sf.Attachment.update_base64(file, Path(__file__).with_name('sign_in.py'))")
tell("sf.Attachment.get_base64(file) == Path(__file__).with_name('sign_in.py').read_bytes()")

# What is not imitated says so.
tell("sf.search('FIND {Acme}')")
tell("sf.quick_search('Acme')")
tell("sf.apexecute('mine')")
tell("sf.toolingexecute('query?q=SELECT+Id+FROM+ApexClass')")
tell("sf.Account.describe_layout('012000000000000AAA')")
tell("sf.set_password('005590000000001AAA', 'new')")
tell("sf.bulk.Account.insert([{'Name': 'A'}])")
