##! All plugins. A site's own are loaded the same way, beside these.

@load ./conn
@load ./dns
@load ./file
@load ./ftp
@load ./http
@load ./kerberos
@load ./ntlm
@load ./rdp
@load ./sip
@load ./smb
@load ./smtp
@load ./ssh
@load ./ssl
@load ./x509
