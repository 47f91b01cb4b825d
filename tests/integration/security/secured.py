"""Three nodes with TLS, mutual TLS, SASL and ACLs, and certificates made for them."""

import asyncio
import datetime as dt
import shutil

import trustme
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from agents.broker import Cluster, Listener

_JAAS = "org.apache.kafka.common.security"
_SECONDS = 30


def write_pair(folder, name, certificate):
    """Write a certificate and its key, each so that it appears at once; return their paths."""
    # (Kafka reads keys in PKCS #8 alone.)
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    paths = []
    for kind, data in (("certificate", chain), ("key", key), ("both", key + chain)):
        path = folder / f"{name}-{kind}.pem"
        fresh = path.with_suffix(".new")
        fresh.write_bytes(data)
        fresh.replace(path)
        paths.append(path)
    return paths


def expired(ca, *names, **options):
    then = dt.datetime.now(dt.UTC)
    return ca.issue_cert(
        *names,
        not_before=then - dt.timedelta(days=9),
        not_after=then - dt.timedelta(days=1),
        **options,
    )


class Secured:
    """The nodes; ways to connect to them, users and what these may do."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = trustme.CA(organization_name="the cluster's")
        self.other_ca = trustme.CA(organization_name="somebody else's")
        self.ca_file = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(self.ca_file))
        self.other_ca_file = folder / "other-ca.pem"
        self.other_ca.cert_pem.write_to_path(str(self.other_ca_file))
        _, _, both = write_pair(folder, "broker", self.ca.issue_cert("127.0.0.1"))
        _, _, late = write_pair(folder, "expired-broker", expired(self.ca, "127.0.0.1"))
        self.users = {}
        self.cluster = Cluster(
            folder / "cluster",
            heap="320m",
            listeners=[
                Listener("LOGIN", "SASL_SSL", {**self._tls(both), **_logins()}),
                Listener("MUTUAL", "SSL", {**self._tls(both), "ssl.client.auth": "required"}),
                Listener("EXPIRED", "SSL", self._tls(late)),
            ],
            overrides={
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                # The nodes themselves, and the tests when they prepare something.
                "super.users": "User:ANONYMOUS",
                "ssl.principal.mapping.rules": "RULE:^.*CN=([^,]+).*$/$1/,DEFAULT",
            },
        )

    def _tls(self, pair):
        return {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(pair),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.ca_file),
        }

    def start(self):
        self.cluster.start()
        self.admin = AdminClient({"bootstrap.servers": self.cluster.bootstrap, "log_level": 0})

    def stop(self):
        del self.admin
        self.cluster.kill()

    async def user(self, name, password):
        """Give a user a password, at once and at every node."""
        change = UserScramCredentialUpsertion(
            name, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), password.encode()
        )
        futures = self.admin.alter_user_scram_credentials([change])
        for future in futures.values():
            await asyncio.to_thread(future.result, _SECONDS)
        self.users[name] = password
        await asyncio.sleep(0.5)  # the nodes learn it one by one

    async def allow(self, user, acls):
        """Let a user do what (type, name, pattern, operation) say; `*` for any."""
        futures = self.admin.create_acls([_binding(user, *acl) for acl in acls])
        for future in futures.values():
            await asyncio.to_thread(future.result, _SECONDS)
        await asyncio.sleep(0.3)

    async def forbid(self, user, acl=None):
        """Take one of these away again, or all that the user has."""
        if acl is None:
            which = AclBindingFilter(
                ResourceType.ANY,
                None,
                ResourcePatternType.ANY,
                f"User:{user}",
                None,
                AclOperation.ANY,
                AclPermissionType.ANY,
            )
        else:
            binding = _binding(user, *acl)
            which = AclBindingFilter(
                binding.restype,
                binding.name,
                binding.resource_pattern_type,
                binding.principal,
                None,
                binding.operation,
                AclPermissionType.ALLOW,
            )
        for future in self.admin.delete_acls([which]).values():
            await asyncio.to_thread(future.result, _SECONDS)
        await asyncio.sleep(0.3)

    def login(self, user, password_file=None, **more):
        """Settings for SCRAM over TLS."""
        settings = {
            "brokers": self.cluster.addresses("LOGIN"),
            "security": "SASL_SSL",
            "security_ca": str(self.ca_file),
            "security_mechanism": "SCRAM-SHA-256",
            "security_user": user,
            **more,
        }
        if password_file is not None:
            settings["security_password_file"] = str(password_file)
        elif "security_password" not in more:
            settings["security_password"] = self.users[user]
        return settings

    def token(self, **more):
        """Settings for OAUTHBEARER over TLS."""
        return {
            "brokers": self.cluster.addresses("LOGIN"),
            "security": "SASL_SSL",
            "security_ca": str(self.ca_file),
            "security_mechanism": "OAUTHBEARER",
            **more,
        }

    def mutual(self, certificate, key, **more):
        """Settings for mutual TLS."""
        return {
            "brokers": self.cluster.addresses("MUTUAL"),
            "security": "SSL",
            "security_ca": str(self.ca_file),
            "security_certificate": str(certificate),
            "security_key": str(key),
            **more,
        }

    def pair(self, name, certificate=None):
        """A certificate for a user, and its key."""
        made = certificate or self.ca.issue_cert(f"{name}.example", common_name=name)
        certificate, key, _ = write_pair(self.folder, name, made)
        return certificate, key

    def copied(self, file, name):
        return shutil.copy(file, self.folder / name)


def _logins():
    return {
        "sasl.enabled.mechanisms": "SCRAM-SHA-256,PLAIN,OAUTHBEARER",
        "scram-sha-256.sasl.jaas.config": f"{_JAAS}.scram.ScramLoginModule required;",
        # A login ends after that long, and its connection with it.
        "scram-sha-256.connections.max.reauth.ms": "5000",
        "plain.sasl.jaas.config": (
            f'{_JAAS}.plain.PlainLoginModule required user_plain="plain-canary-1f9c";'
        ),
        "oauthbearer.sasl.jaas.config": (
            f"{_JAAS}.oauthbearer.OAuthBearerLoginModule required "
            'unsecuredLoginStringClaim_sub="broker";'
        ),
    }


def _binding(user, kind, name, pattern, operation):
    return AclBinding(
        ResourceType[kind.upper()],
        name,
        ResourcePatternType[pattern.upper()],
        f"User:{user}",
        "*",
        getattr(AclOperation, operation),
        AclPermissionType.ALLOW,
    )
