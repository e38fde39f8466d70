/* SPDX-License-Identifier: BSD-3-Clause
 * The torture messages of RFC 4475, and what becomes of each. The program writes them out as seeds when it is given a
 * folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "sip/message.h"

/* The body that most of them share: 150 bytes. */
#define SDP                                         \
    "v=0\r\n"                                       \
    "o=mhandley 29739 7272939 IN IP4 192.0.2.3\r\n" \
    "s=-\r\n"                                       \
    "c=IN IP4 192.0.2.4\r\n"                        \
    "t=0 0\r\n"                                     \
    "m=audio 49217 RTP/AVP 0 12\r\n"                \
    "m=video 3227 RTP/AVP 31\r\n"                   \
    "a=rtpmap:31 LPC\r\n"

enum verdict {
    PASSES = -1,
    SILENT = 0, /* a response, or lines that cannot be told apart: nothing is answered */
    REFUSED = 400,
    VERSION = 505,
};

struct torture {
    const char *name, *section;
    enum verdict verdict;
    const char *text;
    size_t length;
};
#define TORTURE(name, section, verdict, text)          \
    {                                                  \
        name, section, verdict, text, sizeof(text) - 1 \
    }

/* clang-format off */
static const struct torture messages[] = {
    TORTURE("wsinv", "3.1.1.1", PASSES,
            "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\r\n"
            "TO :\r\n"
            " sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\r\n"
            "from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\r\n"
            "  ;\r\n"
            "  tag = 98asjd8\r\n"
            "MaX-fOrWaRdS: 0068\r\n"
            "Call-ID: wsinv.ndaksdj@192.0.2.1\r\n"
            "Content-Length   : 150\r\n"
            "cseq: 0009\r\n"
            "  INVITE\r\n"
            "Via  : SIP  /   2.0\r\n"
            " /UDP\r\n"
            "    192.0.2.2;branch=390skdjuw\r\n"
            "s :\r\n"
            "NewFangledHeader:   newfangled value\r\n"
            " continued newfangled value\r\n"
            "UnknownHeaderWithUnusualValue: ;;,,;;,;\r\n"
            "Content-Type: application/sdp\r\n"
            "Route:\r\n"
            " <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\r\n"
            "v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n"
            "  branch  =   z9hG4bK9ikj8  ,\r\n"
            " SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n"
            " z9hG4bK30239\r\n"
            "m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\r\n"
            "      newvalue ;\r\n"
            "  secondparam ; q = 0.33\r\n"
            "\r\n"
            SDP),
    /* Deviation: a control byte, escaped in a quoted string, is refused as everywhere else. */
    TORTURE("intmeth", "3.1.1.2", SILENT,
            "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0\r\n"
            "Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~\r\n"
            "To: \"BEL:\\\007 NUL:\\\000 DEL:\\\177\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>\r\n"
            "From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\"\321\200\320\260\320\261\320\276\321\202\320\260\321\216\321\211\320\270\320\271\";tag=_token~1'+`*%!-.\r\n"
            "Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\r\n"
            "CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\r\n"
            "Max-Forwards: 255\r\n"
            "extensionHeader-!.%*+_`'~:\357\273\277\345\244\247\345\201\234\351\233\273\r\n"
            "Content-Length: 0\r\n"
            "\r\n"),
    /* The same without control bytes. */
    TORTURE("intmeth-printable", "3.1.1.2", PASSES,
            "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0\r\n"
            "Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~\r\n"
            "To: \"BEL:\\a NUL:\\\" DEL:\\\\\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>\r\n"
            "From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\"\321\200\320\260\320\261\320\276\321\202\320\260\321\216\321\211\320\270\320\271\";tag=_token~1'+`*%!-.\r\n"
            "Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\r\n"
            "CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\r\n"
            "Max-Forwards: 255\r\n"
            "extensionHeader-!.%*+_`'~:\357\273\277\345\244\247\345\201\234\351\233\273\r\n"
            "Content-Length: 0\r\n"
            "\r\n"),
    TORTURE("esc01", "3.1.1.3", PASSES,
            "INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0\r\n"
            "To: sip:%75se%72@example.com\r\n"
            "From: <sip:I%20have%20spaces@example.net>;tag=938\r\n"
            "Max-Forwards: 87\r\n"
            "i: esc01.239409asdfakjkn23onasd0-3234\r\n"
            "CSeq: 234234 INVITE\r\n"
            "Via: SIP/2.0/UDP host5.example.net;branch=z9hG4bKkdjuw\r\n"
            "C: application/sdp\r\n"
            "Contact:\r\n"
            "  <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>\r\n"
            "Content-Length: 150\r\n"
            "\r\n"
            SDP),
    /* Deviation: a user with an escaped NUL would be cut short wherever C reads it. */
    TORTURE("escnull", "3.1.1.4", REFUSED,
            "REGISTER sip:example.com SIP/2.0\r\n"
            "To: sip:null-%00-null@example.com\r\n"
            "From: sip:null-%00-null@example.com;tag=839923423\r\n"
            "Max-Forwards: 70\r\n"
            "Call-ID: escnull.39203ndfvkjdasfkq3w4otrq0adsfdfnavd\r\n"
            "CSeq: 14398234 REGISTER\r\n"
            "Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw\r\n"
            "Contact: <sip:%00@host5.example.com>\r\n"
            "Contact: <sip:%00%00@host5.example.com>\r\n"
            "L:0\r\n"
            "\r\n"),
    TORTURE("esc02", "3.1.1.5", PASSES,
            "RE%47IST%45R sip:registrar.example.com SIP/2.0\r\n"
            "To: \"%Z%45\" <sip:resource@example.com>\r\n"
            "From: \"%Z%45\" <sip:resource@example.com>;tag=f232jadfj23\r\n"
            "Call-ID: esc02.asdfnqwo34rq23i34jrjasdcnl23nrlknsdf\r\n"
            "Via: SIP/2.0/TCP host.example.com;branch=z9hG4bK209%fzsnel234\r\n"
            "CSeq: 29344 RE%47IST%45R\r\n"
            "Max-Forwards: 70\r\n"
            "Contact: <sip:alias1@host1.example.com>\r\n"
            "C%6Fntact: <sip:alias2@host2.example.com>\r\n"
            "Contact: <sip:alias3@host3.example.com>\r\n"
            "l: 0\r\n"
            "\r\n"),
    TORTURE("lwsdisp", "3.1.1.6", PASSES,
            "OPTIONS sip:user@example.com SIP/2.0\r\n"
            "To: sip:user@example.com\r\n"
            "From: caller<sip:caller@example.com>;tag=323\r\n"
            "Max-Forwards: 70\r\n"
            "Call-ID: lwsdisp.1234abcd@funky.example.com\r\n"
            "CSeq: 60 OPTIONS\r\n"
            "Via: SIP/2.0/UDP funky.example.com;branch=z9hG4bKkdjuw\r\n"
            "l: 0\r\n"
            "\r\n"),
    /* With a branch in the topmost Via, which the original lacks: see inv2543. */
    TORTURE("longreq", "3.1.1.7", PASSES,
            "INVITE sip:user@example.com SIP/2.0\r\n"
            "To: \"I have a user name of extremeextremelonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong\" <sip:user@example.com:6000;unknownparam1=verylonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglongvalue;longparamlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglongname=shortvalue;verylonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglongParameterNameWithNoValue>\r\n"
            "F: sip:amazinglylongcallernamelonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong@example.net;tag=12989898989898989898989898989898989898989898989898989898989898989898989898989898989898989898989898989898989898989898989898;unknownheaderparamnamelonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong=unknowheaderparamvaluelonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong;unknownValuelessparamnamelonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong\r\n"
            "Call-ID: longreq.onelonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglongcallid\r\n"
            "CSeq: 3882340 INVITE\r\n"
            "Unknown-longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong-Name: unknown-longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong-value; unknown-longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong-parameter-name = unknown-longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong-parameter-value\r\n"
            "Via: SIP/2.0/TCP sip33.example.com;branch=z9hG4bKlongreq\r\n"
            "v: SIP/2.0/TCP sip32.example.com\r\n"
            "V: SIP/2.0/TCP sip31.example.com\r\n"
            "Via: SIP/2.0/TCP sip30.example.com\r\n"
            "ViA: SIP/2.0/TCP sip29.example.com\r\n"
            "VIa: SIP/2.0/TCP sip28.example.com\r\n"
            "VIA: SIP/2.0/TCP sip27.example.com\r\n"
            "via: SIP/2.0/TCP sip26.example.com\r\n"
            "viA: SIP/2.0/TCP sip25.example.com\r\n"
            "vIa: SIP/2.0/TCP sip24.example.com\r\n"
            "vIA: SIP/2.0/TCP sip23.example.com\r\n"
            "V :  SIP/2.0/TCP sip22.example.com\r\n"
            "v :  SIP/2.0/TCP sip21.example.com\r\n"
            "V  : SIP/2.0/TCP sip20.example.com\r\n"
            "v  : SIP/2.0/TCP sip19.example.com\r\n"
            "Via : SIP/2.0/TCP sip18.example.com\r\n"
            "Via  : SIP/2.0/TCP sip17.example.com\r\n"
            "Via: SIP/2.0/TCP sip16.example.com\r\n"
            "Via: SIP/2.0/TCP host.example.com;received=192.0.2.5;branch=verylonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglongbranchvalue\r\n"
            "Max-Forwards: 70\r\n"
            "Contact: <sip:amazinglylongcallernamelonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong@host5.example.net>\r\n"
            "Content-Type: application/sdp\r\n"
            "l: 150\r\n"
            "\r\n"
            SDP),
    TORTURE("dblreq", "3.1.1.8", PASSES,
            "REGISTER sip:example.com SIP/2.0\r\n"
            "To: sip:j.user@example.com\r\n"
            "From: sip:j.user@example.com;tag=43251j3j324\r\n"
            "Max-Forwards: 8\r\n"
            "I: dblreq.0ha0isndaksdj99sdfafnl3lk233412\r\n"
            "Contact: sip:j.user@host.example.com\r\n"
            "CSeq: 8 REGISTER\r\n"
            "Via: SIP/2.0/UDP 192.0.2.125;branch=z9hG4bKkdjuw23492\r\n"
            "Content-Length: 0\r\n"
            "\r\n"
            "INVITE sip:joe@example.com SIP/2.0\r\n"
            "t: sip:joe@example.com\r\n"
            "From: sip:caller@example.net;tag=141334\r\n"
            "Max-Forwards: 8\r\n"
            "Call-ID: dblreq.0ha0isnda977644900765@192.0.2.15\r\n"
            "CSeq: 8 INVITE\r\n"
            "Via: SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKkdjuw380234\r\n"
            "Content-Type: application/sdp\r\n"
            "Content-Length: 150\r\n"
            "\r\n"
            SDP),
    TORTURE("semiuri", "3.1.1.9", PASSES,
            "OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0\r\n"
            "To: sip:j_user@example.com\r\n"
            "From: sip:caller@example.org;tag=33242\r\n"
            "Max-Forwards: 3\r\n"
            "Call-ID: semiuri.0ha0isndaksdj\r\n"
            "CSeq: 8 OPTIONS\r\n"
            "Accept: application/sdp, application/pkcs7-mime,\r\n"
            "        multipart/mixed, multipart/signed,\r\n"
            "        message/sip, message/sipfrag\r\n"
            "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKkdjuw\r\n"
            "l: 0\r\n"
            "\r\n"),
    TORTURE("transports", "3.1.1.10", PASSES,
            "OPTIONS sip:user@example.com SIP/2.0\r\n"
            "To: sip:user@example.com\r\n"
            "From: <sip:caller@example.com>;tag=323\r\n"
            "Max-Forwards: 70\r\n"
            "Call-ID:  transports.kijh4akdnaqjkwendsasfdj\r\n"
            "Accept: application/sdp\r\n"
            "CSeq: 60 OPTIONS\r\n"
            "Via: SIP/2.0/UDP t1.example.com;branch=z9hG4bKkdjuw\r\n"
            "Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf\r\n"
            "Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj\r\n"
            "Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en\r\n"
            "Via: SIP/2.0/TCP t5.example.com;branch=z9hG4bK0a9idfnee\r\n"
            "l: 0\r\n"
            "\r\n"),
    /* Its S/MIME part is another, as binary as the original. */
    TORTURE("mpart01", "3.1.1.11", PASSES,
            "MESSAGE sip:kumiko@example.org SIP/2.0\r\n"
            "Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-d87543-4dade06d0bdb11ee-1--d87543-;rport\r\n"
            "Max-Forwards: 70\r\n"
            "Route: <sip:127.0.0.1:5080>\r\n"
            "Identity: r5mwreLuyDRYBi/0TiPwEsY3rEVsk/G2WxhgTV1PF7hHuLIK0YWVKZhKv9Mj8UeXqkMVbnVq37CD+813gvYjcBUaZngQmXc9WNZSDNGCzA+fWl9MEUHWIZo1CeJebdY/XlgKeTa0Olvq0rt70Q5jiSfbqMJmQFteeivUhkMWYUA=\r\n"
            "Contact: <sip:fluffy@127.0.0.1:5070>\r\n"
            "To: <sip:kumiko@example.org>\r\n"
            "From: <sip:fluffy@example.com>;tag=2fb0dcc9\r\n"
            "Call-ID: 3d9485ad0c49859b@Zmx1ZmZ5LW1hYy0xNi5sb2NhbA..\r\n"
            "CSeq: 1 MESSAGE\r\n"
            "Content-Transfer-Encoding: binary\r\n"
            "Content-Type: multipart/mixed;boundary=7a9cbec02ceef655\r\n"
            "Date: Sat, 15 Oct 2005 04:44:56 GMT\r\n"
            "User-Agent: SIPimp.org/0.2.5 (curses)\r\n"
            "Content-Length: 238\r\n"
            "\r\n"
            "--7a9cbec02ceef655\r\n"
            "Content-Type: text/plain\r\n"
            "Content-Transfer-Encoding: binary\r\n"
            "\r\n"
            "Hello\r\n"
            "--7a9cbec02ceef655\r\n"
            "Content-Type: application/octet-stream\r\n"
            "Content-Transfer-Encoding: binary\r\n"
            "\r\n"
            "0\202\001R\006\011*\206H\206\367\r\001\007\002\240\000\000\r\n"
            "\r\n"
            "\n"
            "--\377\000\r\n"
            "--7a9cbec02ceef655--\r\n"),
    TORTURE("unreason", "3.1.1.12", PASSES,
            "SIP/2.0 200 = 2**3 * 5**2 \320\275\320\276 \321\201\321\202\320\276 \320\264\320\265\320\262\321\217\320\275\320\276\321\201\321\202\320\276 \320\264\320\265\320\262\321\217\321\202\321\214 - \320\277\321\200\320\276\321\201\321\202\320\276\320\265\r\n"
            "Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923\r\n"
            "Call-ID: unreason.1234ksdfak3j2erwedfsASdf\r\n"
            "CSeq: 35 INVITE\r\n"
            "From: sip:user@example.com;tag=11141343\r\n"
            "To: sip:user@example.edu;tag=2229\r\n"
            "Content-Length: 150\r\n"
            "Content-Type: application/sdp\r\n"
            "Contact: <sip:user@host198.example.com>\r\n"
            "\r\n"
            SDP),
    TORTURE("noreason", "3.1.1.13", PASSES,
            "SIP/2.0 100 \r\n"
            "Via: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe\r\n"
            "Call-ID: noreason.asndj203insdf99223ndf\r\n"
            "CSeq: 35 INVITE\r\n"
            "From: <sip:user@example.com>;tag=39ansfi3\r\n"
            "To: <sip:user@example.edu>;tag=902jndnke3\r\n"
            "Content-Length: 0\r\n"
            "Contact: <sip:user@host105.example.com>\r\n"
            "\r\n"),
    TORTURE("badinv01", "3.1.2.1", REFUSED,
            "INVITE sip:user@example.com SIP/2.0\r\n"
            "To: sip:j.user@example.com\r\n"
            "From: sip:caller@example.net;tag=134161461246\r\n"
            "Max-Forwards: 7\r\n"
            "Call-ID: badinv01.0ha0isndaksdjasdf3234nas\r\n"
            "CSeq: 8 INVITE\r\n"
            "Via: SIP/2.0/UDP 192.0.2.15;;,;,,\r\n"
            "Contact: \"Joe\" <sip:joe@example.org>;;;;\r\n"
            "Content-Length: 150\r\n"
            "Content-Type: application/sdp\r\n"
            "\r\n"
            SDP),
    TORTURE("clerr", "3.1.2.2", REFUSED,
            "INVITE sip:user@example.com SIP/2.0\r\n"
            "Max-Forwards: 80\r\n"
            "To: sip:j.user@example.com\r\n"
            "From: sip:caller@example.net;tag=93942939o2\r\n"
            "Contact: <sip:caller@hungry.example.net>\r\n"
            "Call-ID: clerr.0ha0isndaksdjweiafasdk3\r\n"
            "CSeq: 8 INVITE\r\n"
            "Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bK-39234-23523\r\n"
            "Content-Type: application/sdp\r\n"
            "Content-Length: 9999\r\n"
            "\r\n"
            SDP),
    TORTURE("ncl", "3.1.2.3", REFUSED,
            "INVITE sip:user@example.com SIP/2.0\r\n"
            "Max-Forwards: 254\r\n"
            "To: sip:j.user@example.com\r\n"
            "From: sip:caller@example.net;tag=32394234\r\n"
            "Call-ID: ncl.0ha0isndaksdj2193423r542w35\r\n"
            "CSeq: 0 INVITE\r\n"
            "Via: SIP/2.0/UDP 192.0.2.53;branch=z9hG4bKkdjuw\r\n"
            "Contact: <sip:caller@example53.example.net>\r\n"
            "Content-Type: application/sdp\r\n"
            "Content-Length: -999\r\n"
            "\r\n"
            SDP),
    TORTURE("scalar02", "3.1.2.4", REFUSED,
            "REGISTER sip:example.com SIP/2.0\r\n"
            "Via: SIP/2.0/TCP host129.example.com;branch=z9hG4bK342sdfoi3\r\n"
            "To: <sip:user@example.com>\r\n"
            "From: <sip:user@example.com>;tag=239232jh3\r\n"
            "CSeq: 36893488147419103232 REGISTER\r\n"
            "Call-ID: scalar02.23o0pd9vanlq3wnrlnewofjas9ui32\r\n"
            "Max-Forwards: 300\r\n"
            "Expires: 10000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\r\n"
            "Contact: <sip:user@host129.example.com>\r\n"
            "  ;expires=280297596632815\r\n"
            "Content-Length: 0\r\n"
            "\r\n"),
    TORTURE("scalarlg", "3.1.2.5", SILENT,
            "SIP/2.0 503 Service Unavailable\r\n"
            "Via: SIP/2.0/TCP host129.example.com;branch=z9hG4bKzzxdiwo34sw;received=192.0.2.129\r\n"
            "To: <sip:user@example.com>\r\n"
            "From: <sip:other@example.net>;tag=2easdjfejw\r\n"
            "CSeq: 9292394834772304023312 OPTIONS\r\n"
            "Call-ID: scalarlg.noase0of0234hn2qofoaf0232aewf2394r\r\n"
            "Retry-After: 949302838503028349304023988\r\n"
            "Warning: 1812 overture \"In Progress\"\r\n"
            "Content-Length: 0\r\n"
            "\r\n"),
    TORTURE("quotbal", "3.1.2.6", REFUSED,
            "INVITE sip:user@example.com SIP/2.0\r\n"
            "To: \"Mr. J. User <sip:j.user@example.com>\r\n"
            "From: sip:caller@example.net;tag=93334\r\n"
            "Max-Forwards: 10\r\n"
            "Call-ID: quotbal.aksdj\r\n"
            "Contact: <sip:caller@host59.example.net>\r\n"
            "CSeq: 8 INVITE\r\n"
            "Via: SIP/2.0/UDP 192.0.2.59:5050;branch=z9hG4bKkdjuw39234\r\n"
            "Content-Type: application/sdp\r\n"
            "Content-Length: 150\r\n"
            "\r\n"
            SDP),
    TORTURE("ltgtruri", "3.1.2.7", REFUSED,
            "INVITE <sip:user@example.com> SIP/2.0\r\n"
            "To: sip:user@example.com\r\n"
            "From: sip:caller@example.net;tag=39291\r\n"
            "Max-Forwards: 23\r\n"
            "Call-ID: ltgtruri.1@192.0.2.5\r\n"
            "CSeq: 1 INVITE\r\n"
            "Via: SIP/2.0/UDP 192.0.2.5;branch=z9hG4bKltgtruri\r\n"
            "Contact: <sip:caller@host5.example.net>\r\n"
            "Content-Type: application/sdp\r\n"
            "Content-Length: 150\r\n"
            "\r\n"
            SDP),
    TORTURE("lwsruri", "3.1.2.8", REFUSED,
            "INVITE sip:user@example.com; lr SIP/2.0\r\n"
            "To: sip:user@example.com\r\n"
            "From: sip:caller@example.net;tag=39291\r\n"
            "Max-Forwards: 23\r\n"
            "Call-ID: lwsruri.1@192.0.2.5\r\n"
            "CSeq: 1 INVITE\r\n"
            "Via: SIP/2.0/UDP 192.0.2.5;branch=z9hG4bKlwsruri\r\n"
            "Contact: <sip:caller@host5.example.net>\r\n"
            "Content-Type: application/sdp\r\n"
            "Content-Length: 150\r\n"
            "\r\n"
            SDP),
    TORTURE("lwsstart", "3.1.2.9", REFUSED,
            "INVITE  sip:user@example.com  SIP/2.0\r\n"
            "To: sip:user@example.com\r\n"
            "From: sip:caller@example.net;tag=39291\r\n"
            "Max-Forwards: 23\r\n"
            "Call-ID: lwsstart.1@192.0.2.5\r\n"
            "CSeq: 1 INVITE\r\n"
            "Via: SIP/2.0/UDP 192.0.2.5;branch=z9hG4bKlwsstart\r\n"
            "Contact: <sip:caller@host5.example.net>\r\n"
            "Content-Type: application/sdp\r\n"
            "Content-Length: 150\r\n"
            "\r\n"
            SDP),
    TORTURE("trws", "3.1.2.10", REFUSED,
            "OPTIONS sip:remote-target@example.com SIP/2.0  \r\n"
            "Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK299342093\r\n"
            "To: <sip:remote-target@example.com>\r\n"
            "From: <sip:local-resource@example.com>;tag=329429089\r\n"
            "Call-ID: trws.oicu34958239neffasdhr2345r\r\n"
            "Accept: application/sdp\r\n"
            "CSeq: 238923 OPTIONS\r\n"
            "Max-Forwards: 70\r\n"
            "Content-Length: 0\r\n"
            "\r\n"),
    TORTURE("escruri", "3.1.2.11", REFUSED,
            "INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0\r\n"
            "To: sip:user@example.com\r\n"
            "From: sip:caller@example.net;tag=39291\r\n"
            "Max-Forwards: 23\r\n"
            "Call-ID: escruri.1@192.0.2.5\r\n"
            "CSeq: 1 INVITE\r\n"
            "Via: SIP/2.0/UDP 192.0.2.5;branch=z9hG4bKescruri\r\n"
            "Contact: <sip:caller@host5.example.net>\r\n"
            "Content-Type: application/sdp\r\n"
            "Content-Length: 150\r\n"
            "\r\n"
            SDP),
    /* Nothing here reads Date: it may be passed on. */
    TORTURE("baddate", "3.1.2.12", PASSES,
            "INVITE sip:user@example.com SIP/2.0\r\n"
            "To: sip:user@example.com\r\n"
            "From: sip:caller@example.net;tag=39291\r\n"
            "Max-Forwards: 23\r\n"
            "Call-ID: baddate.1@192.0.2.5\r\n"
            "CSeq: 1 INVITE\r\n"
            "Via: SIP/2.0/UDP 192.0.2.5;branch=z9hG4bKbaddate\r\n"
            "Contact: <sip:caller@host5.example.net>\r\n"
            "Date: Fri, 01 Jan 2010 16:00:00 EST\r\n"
            "Content-Type: application/sdp\r\n"
            "Content-Length: 150\r\n"
            "\r\n"
            SDP),
    TORTURE("regbadct", "3.1.2.13", REFUSED,
            "REGISTER sip:example.com SIP/2.0\r\n"
            "To: sip:user@example.com\r\n"
            "From: sip:user@example.com;tag=998332\r\n"
            "Max-Forwards: 70\r\n"
            "Call-ID: regbadct.k345asrl3fdbv@10.0.0.1\r\n"
            "CSeq: 1 REGISTER\r\n"
            "Via: SIP/2.0/UDP 135.180.130.133:5060;branch=z9hG4bKkdjuw\r\n"
            "Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E\r\n"
            "l: 0\r\n"
            "\r\n"),
    TORTURE("badaspec", "3.1.2.14", REFUSED,
            "OPTIONS sip:user@example.org SIP/2.0\r\n"
            "Via: SIP/2.0/UDP host4.example.com:5060;branch=z9hG4bKkdju43234\r\n"
            "Max-Forwards: 70\r\n"
            "From: \"Bell, Alexander\" <sip:a.g.bell@example.com>;tag=433423\r\n"
            "To: \"Watson, Thomas\" < sip:t.watson@example.org >\r\n"
            "Call-ID: badaspec.sdf0234n2nds0a099u23h3hnnw009cdkne3\r\n"
            "Accept: application/sdp\r\n"
            "CSeq: 3923239 OPTIONS\r\n"
            "l: 0\r\n"
            "\r\n"),
    TORTURE("baddn", "3.1.2.15", REFUSED,
            "OPTIONS sip:t.watson@example.org SIP/2.0\r\n"
            "Via:     SIP/2.0/UDP c.example.com:5060;branch=z9hG4bKkdjuw\r\n"
            "Max-Forwards:      70\r\n"
            "From:    Bell, Alexander <sip:a.g.bell@example.com>;tag=43\r\n"
            "To:      Watson, Thomas <sip:t.watson@example.org>\r\n"
            "Call-ID: baddn.31415@c.example.com\r\n"
            "Accept: application/sdp\r\n"
            "CSeq:    3923239 OPTIONS\r\n"
            "l: 0\r\n"
            "\r\n"),
    TORTURE("badvers", "3.1.2.16", VERSION,
            "OPTIONS sip:t.watson@example.org SIP/7.0\r\n"
            "Via:     SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw\r\n"
            "Max-Forwards:     70\r\n"
            "From:    A. Bell <sip:a.g.bell@example.com>;tag=qweoiqpe\r\n"
            "To:      T. Watson <sip:t.watson@example.org>\r\n"
            "Call-ID: badvers.31417@c.example.com\r\n"
            "CSeq:    1 OPTIONS\r\n"
            "l: 0\r\n"
            "\r\n"),
    TORTURE("mismatch01", "3.1.2.17", REFUSED,
            "OPTIONS sip:user@example.com SIP/2.0\r\n"
            "To: sip:j.user@example.com\r\n"
            "From: sip:caller@example.net;tag=34525\r\n"
            "Max-Forwards: 6\r\n"
            "Call-ID: mismatch01.dj0234sxdfl3\r\n"
            "CSeq: 8 INVITE\r\n"
            "Via: SIP/2.0/UDP host.example.com;branch=z9hG4bKkdjuw\r\n"
            "l: 0\r\n"
            "\r\n"),
    TORTURE("mismatch02", "3.1.2.18", REFUSED,
            "NEWMETHOD sip:user@example.com SIP/2.0\r\n"
            "To: sip:j.user@example.com\r\n"
            "From: sip:caller@example.net;tag=34525\r\n"
            "Max-Forwards: 6\r\n"
            "Call-ID: mismatch02.dj0234sxdfl3\r\n"
            "CSeq: 8 INVITE\r\n"
            "Contact: <sip:caller@host.example.net>\r\n"
            "Via: SIP/2.0/UDP host.example.net;branch=z9hG4bKkdjuw\r\n"
            "Content-Type: application/sdp\r\n"
            "l: 150\r\n"
            "\r\n"
            SDP),
    TORTURE("bigcode", "3.1.2.19", SILENT,
            "SIP/2.0 4294967301 better not break the receiver\r\n"
            "Via: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe\r\n"
            "Call-ID: bigcode.asdof3uj203asdnf3429uasdhfas3ehjasdfas9i\r\n"
            "CSeq: 353494 INVITE\r\n"
            "From: <sip:user@example.com>;tag=39ansfi3\r\n"
            "To: <sip:user@example.edu>;tag=902jndnke3\r\n"
            "Content-Length: 0\r\n"
            "Contact: <sip:user@host105.example.com>\r\n"
            "\r\n"),
    TORTURE("badbranch", "3.2.1", REFUSED,
            "OPTIONS sip:user@example.com SIP/2.0\r\n"
            "To: sip:user@example.com\r\n"
            "From: sip:caller@example.org;tag=33242\r\n"
            "Max-Forwards: 3\r\n"
            "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK\r\n"
            "Accept: application/sdp\r\n"
            "Call-ID: badbranch.sadonfo23i420jv0as0derf3j3n\r\n"
            "CSeq: 8 OPTIONS\r\n"
            "l: 0\r\n"
            "\r\n"),
    TORTURE("insuf", "3.3.1", REFUSED,
            "INVITE sip:user@example.com SIP/2.0\r\n"
            "CSeq: 193942 INVITE\r\n"
            "Via: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf\r\n"
            "Content-Type: application/sdp\r\n"
            "l: 150\r\n"
            "\r\n"
            SDP),
    /* 416 is for whoever routes it. */
    TORTURE("unkscm", "3.3.2", PASSES,
            "OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0\r\n"
            "To: sip:user@example.com\r\n"
            "From: sip:caller@example.net;tag=384\r\n"
            "Max-Forwards: 3\r\n"
            "Call-ID: unkscm.nasdfasser0q239nwsdfasdkl34\r\n"
            "CSeq: 3923423 OPTIONS\r\n"
            "Via: SIP/2.0/TCP host9.example.com;branch=z9hG4bKkdjuw39234\r\n"
            "Content-Length: 0\r\n"
            "\r\n"),
    /* 416 is for whoever routes it. */
    TORTURE("novelsc", "3.3.3", PASSES,
            "OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0\r\n"
            "To: sip:user@example.com\r\n"
            "From: sip:caller@example.net;tag=384\r\n"
            "Max-Forwards: 3\r\n"
            "Call-ID: novelsc.asdfasser0q239nwsdfasdkl34\r\n"
            "CSeq: 3923423 OPTIONS\r\n"
            "Via: SIP/2.0/TCP host9.example.com;branch=z9hG4bKkdjuw39234\r\n"
            "Content-Length: 0\r\n"
            "\r\n"),
    TORTURE("unksm2", "3.3.4", PASSES,
            "REGISTER sip:example.com SIP/2.0\r\n"
            "To: isbn:2983792873\r\n"
            "From: <http://www.example.com>;tag=3234233\r\n"
            "Call-ID: unksm2.daksdj@hyphenated-host.example.com\r\n"
            "CSeq: 234902 REGISTER\r\n"
            "Max-Forwards: 70\r\n"
            "Via: SIP/2.0/UDP 192.0.2.21:5060;branch=z9hG4bKkdjuw\r\n"
            "Contact: <name:John_Smith>\r\n"
            "l: 0\r\n"
            "\r\n"),
    /* 420 is for whoever acts on it. */
    TORTURE("bext01", "3.3.5", PASSES,
            "OPTIONS sip:user@example.com SIP/2.0\r\n"
            "To: sip:j_user@example.com\r\n"
            "From: sip:caller@example.net;tag=242etr\r\n"
            "Max-Forwards: 6\r\n"
            "Call-ID: bext01.0ha0isndaksdj\r\n"
            "Require: nothingSupportsThis, nothingSupportsThisEither\r\n"
            "Proxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis\r\n"
            "CSeq: 8 OPTIONS\r\n"
            "Via: SIP/2.0/TLS fold-and-staple.example.com;branch=z9hG4bKkdjuw\r\n"
            "Content-Length: 0\r\n"
            "\r\n"),
    TORTURE("invut", "3.3.6", PASSES,
            "INVITE sip:user@example.com SIP/2.0\r\n"
            "Contact: <sip:caller@host5.example.net>\r\n"
            "To: sip:j.user@example.com\r\n"
            "From: sip:caller@example.net;tag=8392034\r\n"
            "Max-Forwards: 70\r\n"
            "Call-ID: invut.0ha0isndaksdjadsfij34n23d\r\n"
            "CSeq: 235448 INVITE\r\n"
            "Via: SIP/2.0/UDP somehost.example.com;branch=z9hG4bKkdjuw\r\n"
            "Content-Type: application/unknownformat\r\n"
            "Content-Length: 40\r\n"
            "\r\n"
            "<audio>\r\n"
            " <pcmu port=\"443\"/>\r\n"
            "</audio>\r\n"),
    TORTURE("regaut01", "3.3.7", PASSES,
            "REGISTER sip:example.com SIP/2.0\r\n"
            "To: sip:j.user@example.com\r\n"
            "From: sip:j.user@example.com;tag=87321hj23128\r\n"
            "Max-Forwards: 8\r\n"
            "Call-ID: regaut01.0ha0isndaksdj\r\n"
            "CSeq: 9338 REGISTER\r\n"
            "Via: SIP/2.0/TCP 192.0.2.253;branch=z9hG4bKkdjuw\r\n"
            "Authorization: NoOneKnowsThisScheme opaque-data=here\r\n"
            "Content-Length:0\r\n"
            "\r\n"),
    TORTURE("multi01", "3.3.8", REFUSED,
            "INVITE sip:user@company.com SIP/2.0\r\n"
            "Contact: <sip:caller@host25.example.net>\r\n"
            "Via: SIP/2.0/UDP 192.0.2.25;branch=z9hG4bKkdjuw\r\n"
            "Max-Forwards: 70\r\n"
            "CSeq: 5 INVITE\r\n"
            "Call-ID: multi01.98asdh@192.0.2.1\r\n"
            "CSeq: 59 INVITE\r\n"
            "Call-ID: multi01.98asdh@192.0.2.2\r\n"
            "From: sip:caller@example.com;tag=3413415\r\n"
            "To: sip:user@example.com\r\n"
            "To: sip:other@example.net\r\n"
            "From: sip:caller@example.net;tag=2923420123\r\n"
            "Content-Type: application/sdp\r\n"
            "l: 150\r\n"
            "Contact: <sip:caller@host36.example.net>\r\n"
            "Max-Forwards: 5\r\n"
            "\r\n"
            SDP),
    TORTURE("mcl01", "3.3.9", REFUSED,
            "OPTIONS sip:user@example.com SIP/2.0\r\n"
            "Via: SIP/2.0/UDP host5.example.net;branch=z9hG4bK293423\r\n"
            "To: sip:user@example.com\r\n"
            "From: sip:other@example.net;tag=3923942\r\n"
            "Call-ID: mcl01.fhn2323orihawfdoa3o4r52o3irsdf\r\n"
            "CSeq: 15932 OPTIONS\r\n"
            "Content-Length: 13\r\n"
            "Max-Forwards: 60\r\n"
            "Content-Length: 5\r\n"
            "Content-Type: text/plain\r\n"
            "\r\n"
            "There's no way to know how many octets are supposed to be here.\r\n"),
    /* Responses follow connections here, never what Via says. */
    TORTURE("bcast", "3.3.10", PASSES,
            "SIP/2.0 200 OK\r\n"
            "Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923\r\n"
            "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23\r\n"
            "Call-ID: bcast.0384840201234ksdfak3j2erwedfsASdf\r\n"
            "CSeq: 35 INVITE\r\n"
            "From: sip:user@example.com;tag=11141343\r\n"
            "To: sip:user@example.edu;tag=2229\r\n"
            "Content-Length: 150\r\n"
            "Content-Type: application/sdp\r\n"
            "Contact: <sip:user@host28.example.com>\r\n"
            "\r\n"
            SDP),
    /* 483 is for whoever would pass it on. */
    TORTURE("zeromf", "3.3.11", PASSES,
            "OPTIONS sip:user@example.com SIP/2.0\r\n"
            "To: sip:user@example.com\r\n"
            "From: sip:caller@example.net;tag=3ghsd41\r\n"
            "Call-ID: zeromf.jfasdlfnm2o2l43r5u0asdfas\r\n"
            "CSeq: 39234321 OPTIONS\r\n"
            "Via: SIP/2.0/UDP host1.example.com;branch=z9hG4bKkdjuw2349i\r\n"
            "Max-Forwards: 0\r\n"
            "Content-Length: 0\r\n"
            "\r\n"),
    TORTURE("cparam01", "3.3.12", PASSES,
            "REGISTER sip:example.com SIP/2.0\r\n"
            "Via: SIP/2.0/UDP saturn.example.com:5060;branch=z9hG4bKkdjuw\r\n"
            "Max-Forwards: 70\r\n"
            "From: sip:watson@example.com;tag=DkfVgjkrtMwaerKKpe\r\n"
            "To: sip:watson@example.com\r\n"
            "Call-ID: cparam01.70710@saturn.example.com\r\n"
            "CSeq: 2 REGISTER\r\n"
            "Contact: sip:+19725552222@gw1.example.net;unknownparam\r\n"
            "l: 0\r\n"
            "\r\n"),
    TORTURE("cparam02", "3.3.13", PASSES,
            "REGISTER sip:example.com SIP/2.0\r\n"
            "Via: SIP/2.0/UDP saturn.example.com:5060;branch=z9hG4bKkdjuw\r\n"
            "Max-Forwards: 70\r\n"
            "From: sip:watson@example.com;tag=838293\r\n"
            "To: sip:watson@example.com\r\n"
            "Call-ID: cparam02.70710@saturn.example.com\r\n"
            "CSeq: 3 REGISTER\r\n"
            "Contact: <sip:+19725552222@gw1.example.net;unknownparam>\r\n"
            "l: 0\r\n"
            "\r\n"),
    TORTURE("regescrt", "3.3.14", PASSES,
            "REGISTER sip:example.com SIP/2.0\r\n"
            "To: sip:user@example.com\r\n"
            "From: sip:user@example.com;tag=8\r\n"
            "Max-Forwards: 70\r\n"
            "Call-ID: regescrt.k345asrl3fdbv@192.0.2.1\r\n"
            "CSeq: 14398234 REGISTER\r\n"
            "Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw\r\n"
            "M: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>\r\n"
            "L:0\r\n"
            "\r\n"),
    TORTURE("sdp01", "3.3.15", PASSES,
            "INVITE sip:user@example.com SIP/2.0\r\n"
            "To: sip:user@example.com\r\n"
            "From: sip:caller@example.net;tag=39291\r\n"
            "Max-Forwards: 23\r\n"
            "Call-ID: sdp01.1@192.0.2.5\r\n"
            "CSeq: 1 INVITE\r\n"
            "Via: SIP/2.0/UDP 192.0.2.5;branch=z9hG4bKsdp01\r\n"
            "Contact: <sip:caller@host5.example.net>\r\n"
            "Accept: text/nobodyKnowsThis\r\n"
            "Content-Type: application/sdp\r\n"
            "Content-Length: 150\r\n"
            "\r\n"
            SDP),
    /* Deviation: without a branch there is no transaction; nobody speaks RFC 2543 to an eP-CSCF. */
    TORTURE("inv2543", "3.4.1", REFUSED,
            "INVITE sip:UserB@example.com SIP/2.0\r\n"
            "Via: SIP/2.0/UDP iftgw.example.com\r\n"
            "From: <sip:+13035551111@ift.client.example.net;user=phone>\r\n"
            "Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>\r\n"
            "To: sip:+16505552222@ss1.example.net;user=phone\r\n"
            "Call-ID: inv2543.1717@ift.client.example.com\r\n"
            "CSeq: 56 INVITE\r\n"
            "Content-Type: application/sdp\r\n"
            "\r\n"
            SDP),
};
/* clang-format on */
#define MESSAGES (sizeof messages / sizeof messages[0])

static int decode_alone(const char *text, size_t length, osip_message_t **out, unsigned *status)
{
    char *alone = malloc(length);
    assert_non_null(alone);
    memcpy(alone, text, length);
    int result = sip_message_decode(alone, length, out, status);
    free(alone);
    return result;
}

static const struct torture *find(const char *name)
{
    for (size_t i = 0; i < MESSAGES; i++) {
        if (strcmp(messages[i].name, name) == 0)
            return &messages[i];
    }
    fail_msg("no message %s", name);
    return NULL;
}

static osip_message_t *decoded(const char *name)
{
    const struct torture *torture = find(name);
    osip_message_t *message;
    unsigned status;
    assert_int_equal(decode_alone(torture->text, torture->length, &message, &status), 0);
    return message;
}

static void each_gets_its_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; i < MESSAGES; i++) {
        osip_message_t *message;
        unsigned status = 999;
        int result = decode_alone(messages[i].text, messages[i].length, &message, &status);
        int verdict = result == 0 ? PASSES : (int)status;
        sip_message_destroy(&message);
        if (verdict != (int)messages[i].verdict || (result != 0 && result != ERR_MALFORMED))
            fail_msg("%s (RFC 4475 §%s): %d", messages[i].name, messages[i].section, verdict);
    }
}

/* Written anew, a message says the same, and is refused no more than before. */
static void each_survives_being_passed_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < MESSAGES; i++) {
        if (messages[i].verdict != PASSES)
            continue;
        osip_message_t *message = decoded(messages[i].name), *again;
        char *text, *text_again;
        unsigned status;
        int length = sip_message_encode(message, &text);
        assert_true(length > 0);
        if (decode_alone(text, (size_t)length, &again, &status) != 0)
            fail_msg("%s", messages[i].name);
        assert_int_equal(sip_message_encode(again, &text_again), length);
        assert_memory_equal(text, text_again, (size_t)length);
        assert_true(span_equal(sip_message_body(message), sip_message_body(again)));
        sip_text_free(text);
        sip_text_free(text_again);
        sip_message_destroy(&message);
        sip_message_destroy(&again);
    }
}

static void each_cut_short_is_survived(void **state)
{
    (void)state;
    for (size_t i = 0; i < MESSAGES; i++) {
        for (size_t cut = 1; cut < messages[i].length; cut += 7) {
            osip_message_t *message;
            unsigned status;
            decode_alone(messages[i].text, cut, &message, &status);
            sip_message_destroy(&message);
        }
    }
}

static void odd_white_space_is_understood(void **state)
{
    (void)state;
    osip_message_t *message = decoded("wsinv");
    assert_string_equal(message->from->displayname, "\"J Rosenberg \\\\\\\"\"");
    assert_string_equal(sip_parameter_find(&message->from->gen_params, "tag"), "98asjd8");
    assert_string_equal(sip_parameter_find(&message->to->gen_params, "tag"), "1918181833n");
    uint32_t hops;
    assert_int_equal(sip_field_number(message, "Max-Forwards", &hops), 0);
    assert_int_equal(hops, 68);
    assert_string_equal(message->cseq->number, "0009");
    assert_int_equal(osip_list_size(&message->vias), 3);
    assert_string_equal(sip_field_find(message, "UnknownHeaderWithUnusualValue"), ";;,,;;,;");
    const osip_contact_t *contact = osip_list_get(&message->contacts, 0);
    assert_string_equal(sip_parameter_find(&contact->gen_params, "newparam"), "newvalue");
    assert_string_equal(sip_parameter_find(&contact->gen_params, "secondparam"), "");
    assert_int_equal(sip_message_body(message).length, 150);
    sip_message_destroy(&message);
}

static void odd_names_are_understood(void **state)
{
    (void)state;
    osip_message_t *message = decoded("intmeth-printable");
    assert_string_equal(message->req_uri->username, "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*");
    assert_string_equal(message->req_uri->password, "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)");
    assert_string_equal(message->req_uri->host, "example.com");
    assert_string_equal(message->from->url->username, "mundane");
    sip_message_destroy(&message);

    message = decoded("esc01");
    assert_string_equal(message->req_uri->username, "sips:user@example.com");
    assert_string_equal(message->req_uri->host, "example.net");
    assert_string_equal(message->to->url->username, "user");
    const osip_contact_t *contact = osip_list_get(&message->contacts, 0);
    assert_string_equal(sip_parameter_find(&contact->url->url_params, "lr"), "");
    assert_string_equal(sip_parameter_find(&contact->url->url_params, "name"), "value%41");
    sip_message_destroy(&message);

    message = decoded("esc02");
    assert_string_equal(message->sip_method, "RE%47IST%45R");
    assert_int_equal(osip_list_size(&message->contacts), 2); /* C%6Fntact is another field */
    sip_message_destroy(&message);

    message = decoded("semiuri");
    assert_string_equal(message->req_uri->username, "user;par=u@example.net");
    assert_int_equal(osip_list_size(&message->req_uri->url_params), 0);
    sip_message_destroy(&message);

    message = decoded("cparam01"); /* without brackets it is the Contact's own */
    contact = osip_list_get(&message->contacts, 0);
    assert_string_equal(sip_parameter_find(&contact->gen_params, "unknownparam"), "");
    sip_message_destroy(&message);
    message = decoded("cparam02");
    contact = osip_list_get(&message->contacts, 0);
    assert_string_equal(sip_parameter_find(&contact->url->url_params, "unknownparam"), "");
    sip_message_destroy(&message);
}

static int write_seeds(const char *folder)
{
    for (size_t i = 0; i < MESSAGES; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, messages[i].name);
        FILE *file = fopen(path, "wb");
        if (!file || fwrite(messages[i].text, 1, messages[i].length, file) != messages[i].length || fclose(file) != 0)
            return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_gets_its_verdict),      cmocka_unit_test(each_survives_being_passed_on),
        cmocka_unit_test(each_cut_short_is_survived), cmocka_unit_test(odd_white_space_is_understood),
        cmocka_unit_test(odd_names_are_understood),
    };
    if (argc == 2)
        return write_seeds(argv[1]);
    sip_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
