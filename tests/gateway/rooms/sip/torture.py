"""Messages after RFC 4475 (torture test messages for SIP), written anew for our addresses, and some of our own.

@PORT@: the sender's port; @BRANCH@: a branch no other message has.
"""


def _message(text: str) -> str:
    """CRLF at the ends of lines, none before the first."""
    return text.lstrip("\n").replace("\n", "\r\n")


_SDP = """v=0
o=mhandley 29739 7272939 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 49217 RTP/AVP 0 12
m=video 3227 RTP/AVP 31
a=rtpmap:31 LPC
"""

_PLAIN = """
OPTIONS sip:1@127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:@PORT@;branch=z9hG4bK@BRANCH@;rport
Max-Forwards: 70
From: <sip:caller@127.0.0.1>;tag=8814
To: <sip:1@127.0.0.1>
Call-ID: torture.@BRANCH@
CSeq: 8 OPTIONS
Content-Length: 0

"""

VALID = {
    # 3.1.1.1: folded lines, odd spacing and case, compact names, unknown headers and parameters
    "wsinv": _message(
        f"""
INVITE sip:100@127.0.0.1;unknownparam SIP/2.0
TO :
 sip:100@127.0.0.1 ;   foo = bar
from   : "J Rosenberg \\\\\\""       <sip:jdrosen@127.0.0.1>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
Call-ID: wsinv.@BRANCH@
Content-Length   : {len(_SDP.replace(chr(10), chr(13) + chr(10)))}
cseq: 0009
  INVITE
Via  : SIP  /   2.0
 /UDP
    127.0.0.1:@PORT@;rport;branch=z9hG4bK@BRANCH@
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
Content-Type: application/sdp
Route:
 <sip:127.0.0.1;lr;unknownwith=value;unknown-no-value>
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted string \\"\\"" <sip:jdrosen@127.0.0.1> ; newparam =
      newvalue ;
  secondparam ; q = 0.33

{_SDP}"""
    ),
    # 3.1.1.3: escapes in the user part
    "esc01": _message(_PLAIN.replace("sip:1@", "sip:sips%3Auser%40example.com@", 1)),
    # 3.1.1.6: no LWS between the display name and <
    "lwsdisp": _message(_PLAIN.replace("From: <", "From: caller<")),
    # 3.1.1.7: long values
    "longreq": _message(_PLAIN.replace("From: <", f'From: "{"I have a user name of extreme proportion " * 20}" <')),
    # 3.1.1.8: something behind the body's end
    "dblreq": _message(_PLAIN) + _message(_PLAIN.replace("OPTIONS sip:1", "INVITE sip:joe")),
    # 3.1.1.9: semicolon-separated parameters in the user part
    "semiuri": _message(_PLAIN.replace("sip:1@", "sip:user;par=u%40example.net@", 1)),
    # 3.1.1.10: transport parameters nobody knows
    "transports": _message(_PLAIN.replace("To: <sip:1@127.0.0.1>", "To: <sip:1@127.0.0.1;transport=BELLERO>")),
    # 3.1.1.5: % that is no escape
    "esc02": _message(_PLAIN.replace("sip:1@", "sip:%Z%45@", 1)),
}

INVALID = {
    # 3.1.2.1: a comma and nothing, an empty parameter
    "badinv01": _message(
        """
INVITE sip:1@127.0.0.1 SIP/2.0
To: sip:j.user@127.0.0.1
From: sip:caller@127.0.0.1;tag=134161461246
Max-Forwards: 7
Call-ID: badinv01.@BRANCH@
CSeq: 8 INVITE
Via: SIP/2.0/UDP 127.0.0.1:@PORT@;;,;,,
Contact: "Joe" <sip:joe@127.0.0.1>;;;;
Content-Length: 0

"""
    ),
    # 3.1.2.2: a body shorter than it says
    "clerr": _message(
        """
INVITE sip:1@127.0.0.1 SIP/2.0
Max-Forwards: 80
To: sip:1@127.0.0.1
From: sip:caller@127.0.0.1;tag=93942939o2
Contact: <sip:caller@127.0.0.1>
Call-ID: clerr.@BRANCH@
CSeq: 8 INVITE
Via: SIP/2.0/UDP 127.0.0.1:@PORT@;branch=z9hG4bK@BRANCH@;rport
Content-Type: application/sdp
Content-Length: 9999

v=0
"""
    ),
    # 3.1.2.3: a negative length
    "ncl": _message(_PLAIN.replace("OPTIONS", "INVITE").replace("Content-Length: 0", "Content-Length: -999")),
    # 3.1.2.4: numbers far out of range
    "scalar02": _message(_PLAIN.replace("OPTIONS", "INVITE").replace("CSeq: 8", "CSeq: 36893488147419103232x")),
    # 3.1.2.5: a quote that never ends
    "quotbal": _message(_PLAIN.replace("OPTIONS", "INVITE").replace("To: <", 'To: "Mr. J. User <')),
    # 3.1.2.6: <> around the request's address
    "ltgtruri": _message(
        _PLAIN.replace("OPTIONS sip:1@127.0.0.1", "INVITE <sip:1@127.0.0.1>").replace("8 OPTIONS", "8 INVITE")
    ),
    # 3.1.2.7: spaces in it
    "lwsruri": _message(
        _PLAIN.replace("OPTIONS sip:1@127.0.0.1", "INVITE sip:1@127.0.0.1; lr").replace("8 OPTIONS", "8 INVITE")
    ),
    # 3.1.2.15: a method that is another in CSeq
    "mismatch01": _message(_PLAIN.replace("8 OPTIONS", "8 INVITE")),
    # 3.1.2.18: a version nobody speaks
    "badvers": _message(_PLAIN.replace("127.0.0.1 SIP/2.0", "127.0.0.1 SIP/7.0", 1)),
    # 3.3.1: nothing that is needed
    "insuf": _message(
        "INVITE sip:1@127.0.0.1 SIP/2.0\nCSeq: 193942 INVITE\nVia: SIP/2.0/UDP 127.0.0.1:@PORT@;branch=z9hG4bK@BRANCH@\n\n"
    ),
    # 3.3.15 and our own: SDP that is none
    "sdp01": _message(
        _PLAIN.replace("OPTIONS", "INVITE").replace(
            "Content-Length: 0", "Content-Type: application/sdp\nContent-Length: 27"
        )
        + "v=0\nm=audio x RTP/AVP 0 y\n"
    ),
    # a response out of the blue
    "bigcode": _message(
        _PLAIN.replace("OPTIONS sip:1@127.0.0.1 SIP/2.0", "SIP/2.0 4294967301 better not break the receiver")
    ),
    # three hundred headers
    "many": _message(_PLAIN.replace("OPTIONS", "INVITE").replace("Max-Forwards", "X-Many: 1\n" * 300 + "Max-Forwards")),
}
