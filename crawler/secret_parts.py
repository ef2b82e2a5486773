"""The parts of an address that sign or open something, as data with their sources, and an address without them.

1. A name counts as it is read by a server: percent-decoded, without the tabs and line ends that browsers drop, in any
   case, and with or without `-`, `_` and `.` (`access_token`, `accessToken`).
2. Names that are too short to mean one thing (`se`, `sp`, `ex`) count only beside the parts that they are signed with.
3. An address inside an address is looked into: image proxies carry signed addresses in a parameter.
4. What stays keeps its order and bytes. Only where credentials are cut is the address written as browsers write it.

Signatures that only fix the size of a public picture (`s` of imgix or Reddit) are no secrets and stay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, unquote_plus

import ada_url


@dataclass(frozen=True, slots=True)
class _Scheme:
    """One way in which addresses are signed, or carry a secret."""

    source: str
    names: frozenset[str] = frozenset()
    """Taken wherever they stand; without `-`, `_` and `.`."""
    prefixes: tuple[str, ...] = ()
    """Of names that are taken; with their `-` and `_`."""
    beside: frozenset[str] = frozenset()
    """Names that have all to be there before `companions` are taken."""
    companions: frozenset[str] = frozenset()


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


SCHEMES = (
    _Scheme(
        "Amazon S3, Signature Version 4: docs.aws.amazon.com, AmazonS3/latest/API/sigv4-query-string-auth.html; "
        "also Yandex, Backblaze, R2",
        prefixes=("x-amz-",),
    ),
    _Scheme(
        "Amazon S3, Signature Version 2: docs.aws.amazon.com, AmazonS3/latest/userguide/RESTAuthentication.html",
        names=_set("awsaccesskeyid signature expires"),
    ),
    _Scheme(
        "CloudFront: docs.aws.amazon.com, AmazonCloudFront/latest/DeveloperGuide/private-content-signed-urls.html",
        names=_set("policy signature keypairid expires"),
        beside=_set("keypairid"),
        companions=_set("hashalgorithm"),
    ),
    _Scheme("Google Cloud Storage, V4: cloud.google.com/storage/docs/authentication/signatures", prefixes=("x-goog-",)),
    _Scheme(
        "Google Cloud Storage V2 and Cloud CDN: cloud.google.com/cdn/docs/using-signed-urls",
        names=_set("googleaccessid signature expires"),
        beside=_set("signature"),
        companions=_set("keyname urlprefix"),
    ),
    _Scheme(
        "Azure shared access signatures: learn.microsoft.com/rest/api/storageservices/create-service-sas, "
        "create-account-sas, create-user-delegation-sas",
        names=_set("sig skoid sktid"),
        beside=_set("sig"),
        companions=_set(
            "sv sr se st sp spr sip si ss srt sdd ses saoid suoid scid skt ske sks skv skdutid sduoid "
            "rscc rscd rsce rscl rsct tn spk srk epk erk"
        ),
    ),
    _Scheme(
        "Alibaba OSS: www.alibabacloud.com/help/oss, 'Add signatures to URLs' (x-oss-process, a size, stays)",
        names=_set(
            "ossaccesskeyid securitytoken xosssignature xosssignatureversion xosscredential xossdate xossexpires "
            "xossadditionalheaders xosssecuritytoken"
        ),
    ),
    _Scheme(
        "Tencent COS: cloud.tencent.com/document/product/436/7778",
        names=_set("qsignalgorithm qak qsigntime qkeytime qheaderlist qurlparamlist qsignature xcossecuritytoken"),
    ),
    _Scheme(
        "Huawei and Open Telekom OBS: docs.otc.t-systems.com, object-storage-service, 'Signature in a URL'",
        names=_set("accesskeyid xobssecuritytoken"),
    ),
    _Scheme("Volcengine TOS, as TikTok's pictures: www.volcengine.com/docs/6349", prefixes=("x-tos-",)),
    _Scheme("TikTok's picture hosts, as seen on its pages", names=_set("xexpires xsignature")),
    _Scheme(
        "Akamai: techdocs.akamai.com, 'Token authentication' (its parameter has a name of the customer's choice; these "
        "are the defaults)",
        names=_set("hdnts hdnea gda token"),
    ),
    _Scheme(
        "Facebook and Instagram (fbcdn.net, cdninstagram.com), as seen on their pages: `oh` signs, `oe` is its end",
        names=_set("oh oe"),
        prefixes=("_nc_",),
    ),
    _Scheme(
        "Discord: discord.com/developers/docs/reference, 'Signed Attachment CDN URLs'",
        beside=_set("ex is hm"),
        companions=_set("ex is hm"),
    ),
    _Scheme("LinkedIn (media.licdn.com), as seen on its pages", beside=_set("e v t"), companions=_set("e v t")),
    _Scheme(
        "OAuth and OpenID Connect: RFC 6750 2.3, RFC 6749 4.1.2 and 6, OpenID Connect Core 3.2.2.5",
        names=_set("accesstoken refreshtoken idtoken clientsecret clientassertion bearer bearertoken"),
    ),
    _Scheme("SAML 2.0 bindings 3.4.4, CAS protocol 3.1.1", names=_set("samlrequest samlresponse ticket")),
    _Scheme(
        "Session identifiers: Jakarta Servlet 7.1.3 (jsessionid), php.net session.name, "
        "OWASP Session Management Cheat Sheet, 'Session ID Name Fingerprinting'",
        names=_set(
            "jsessionid phpsessid oscsid zenid xtcsid aspsessionid cfid cftoken "
            "sessionid sessid sessiontoken sessionkey"
        ),
    ),
    _Scheme(
        "Keys and passwords by the names that OWASP, 'Information exposure through query strings in URL', and the "
        "filters of Django (SafeExceptionReporterFilter) and Rails (filter_parameters) have",
        names=_set(
            "apikey xapikey apitoken apisecret appsecret secret secretkey privatekey subscriptionkey authkey accesskey "
            "auth authtoken authorization xauthtoken usertoken jwt hmac sign signature password passwd passphrase pwd "
            "otp credential credentials csrf csrftoken csrfmiddlewaretoken authenticitytoken xsrftoken"
        ),
    ),
)
"""What counts as a secret. An entry too many costs a parameter in a stored address, an entry too few somebody's key."""

_NAMES = frozenset().union(*(scheme.names for scheme in SCHEMES))
_PREFIXES = tuple(prefix for scheme in SCHEMES for prefix in scheme.prefixes)
_BESIDE = tuple(scheme for scheme in SCHEMES if scheme.beside)
_NESTED_MAX = 3

_SEPARATORS = re.compile("([&;])")
"""HTML 4.01 B.2.2 recommends `;` to servers as well."""
_AUTHORITY = re.compile(r"\A([^/\\?#]{0,40}[/\\]{2,})[^/\\?#]*@")
_PATH_SESSION = re.compile(r";(?:jsessionid|phpsessid)=[^/;?#]*", re.IGNORECASE)
"""Jakarta Servlet 7.1.3: `;jsessionid=1234` behind a segment of the path."""
_DROPPED_BY_BROWSERS = str.maketrans("", "", "\t\r\n")
_JOINTS = str.maketrans("", "", "-_.")


def without_secret_parts(url: str) -> str:
    """`url` without user name, password, session in its path and the secret parts of its query.

    Doing it twice changes nothing more.
    """
    return _cut(url, _NESTED_MAX)


def _cut(url: str, nested_max: int) -> str:
    address, mark, query = _without_credentials(url).partition("?")
    address = _PATH_SESSION.sub("", address)
    if not mark:
        return address
    kept = _cut_query(query, nested_max)
    return f"{address}?{kept}" if kept or not query else address


def _cut_query(query: str, nested_max: int) -> str:
    """The parts that stay, each with the separator before it."""
    pieces = ["&", *_SEPARATORS.split(query)]  # separator, part, separator, part ...
    parts = list(zip(pieces[::2], pieces[1::2], strict=True))
    secret = _secret_names({_name(part) for _, part in parts})
    kept = [(before, _cut_nested(part, nested_max)) for before, part in parts if not _is_secret(_name(part), secret)]
    return "".join(before + part for before, part in kept)[1:]


def _secret_names(names: set[str]) -> frozenset[str]:
    """The names that are secret beside each other."""
    plain = {name.translate(_JOINTS) for name in names}
    return frozenset().union(*(one.companions for one in _BESIDE if one.beside <= plain))


def _is_secret(name: str, beside_others: frozenset[str]) -> bool:
    plain = name.translate(_JOINTS)
    return plain in _NAMES or plain in beside_others or name.startswith(_PREFIXES)


def _name(part: str) -> str:
    name = part.partition("=")[0].translate(_DROPPED_BY_BROWSERS)
    return unquote_plus(name).lower()


def _cut_nested(part: str, nested_max: int) -> str:
    name, equals, value = part.partition("=")
    if not nested_max or len(value) < len("http://a"):
        return part
    nested = unquote(value)
    if "//" not in nested and "?" not in nested:
        return part
    cut = _cut(nested, nested_max - 1)
    return part if cut == nested else f"{name}{equals}{quote(cut, safe='', errors='replace')}"


def _without_credentials(url: str) -> str:
    try:
        parts = ada_url.URL(url)
    except ValueError:
        return _AUTHORITY.sub(r"\1", url)
    if not parts.username and not parts.password:
        return url
    parts.username = parts.password = ""
    return str(parts.href)
