"""Every way into an org that simple-salesforce knows. The clock is the real one: assertions bear its time."""

from simple_salesforce import Salesforce, SalesforceLogin

from transcript import emulator, org, session, tell

username, password, security_token = org["username"], org["password"], org["security_token"]
app = {"consumer_key": org["client_id"], "consumer_secret": org["client_secret"]}


def sign_in(**how):
    return Salesforce(session=session(), **how)


def count(sf):
    return sf.query("SELECT COUNT() FROM Account")["totalSize"]


# SOAP, without an app; by the login host, and by its own address, which needs no session of ours.
tell("count(sign_in(username=username, password=password, security_token=security_token))", globals())
tell("sign_in(username=username, password=password, security_token='wrong')", globals())
tell("sign_in(username='nobody@example.com', password='<&>', security_token='')", globals())
tell("sign_in(username=username, password=password + security_token, organizationId='00D590000000001EAA').auth_type", globals())
tell("SalesforceLogin(username=username, password=password, security_token=security_token, scratch_url=org['login_url'])[1] == org['url'][7:]", globals())
tell("sign_in(username=username, password=password, security_token=security_token, version='65.0')", globals())

# OAuth: username and password, client credentials on My Domain only.
tell("count(sign_in(username=username, password=password + security_token, **app))", globals())
tell("sign_in(username=username, password='wrong', **app)", globals())
tell("count(sign_in(domain='emulated.my', **app))", globals())
tell("sign_in(domain='login', **app)", globals())

# JWT bearer.
tell("count(sign_in(username=username, consumer_key=org['client_id'], privatekey=org['private_key']))", globals())
tell("count(sign_in(username=username, consumer_key=org['client_id'], privatekey=org['private_key'], instance_url='emulated.my'))", globals())
tell("sign_in(username='nobody@example.com', consumer_key=org['client_id'], privatekey=org['private_key'])", globals())

# A session that is there already: by address and by host.
sf = sign_in(username=username, password=password, security_token=security_token)
tell("count(sign_in(session_id=sf.session_id, instance_url=org['url']))", globals())
tell("count(sign_in(session_id=sf.session_id, instance=org['url'][7:]))", globals())
tell("sign_in(session_id='dead', instance_url=org['url']).query('SELECT Id FROM Account')", globals())

# A session that ends is renewed where the client knows how.
emulator("sessions/expire")
tell("count(sf)", globals())
emulator("sessions/expire")
tell("sf.Account.describe()['name']", globals())
tell("sf.is_sandbox()", globals())
tell("sf.oauth2('userinfo')['preferred_username'] == username", globals())
