package dev.penstock.cli.doctor;

import java.util.Locale;

/// What can be wrong: each is a heading of docs/troubleshooting.md.
public enum Symptom {
  CONFIGURATION,
  NAME_NOT_FOUND,
  NOBODY_LISTENS,
  PORT_BLOCKED,
  NO_ANSWER,
  PLAIN_HTTP,
  SPEAKS_TLS,
  TLS_REFUSED,
  CERTIFICATE_EXPIRED,
  CERTIFICATE_EXPIRES_SOON,
  CERTIFICATE_NOT_CHECKED,
  UNTRUSTED_AUTHORITY,
  WRONG_HOST_NAME,
  WRONG_TOKEN,
  UPGRADE_BROKEN,
  ANOTHER_SERVER,
  GATEWAY_BUSY,
  REGISTRATION_FAILED,
  LINK_FAILED,
  NO_COMMON_PROTOCOL,
  CLOCK_OFF,
  PUBLIC_PORT_BLOCKED,
  NOT_REGISTERED,
  SERVICE_AWAY,
  NOT_RUNNING,
  PORT_TAKEN,
  ADDRESS_NOT_HERE,
  MANAGEMENT_REFUSED,
  NOT_READY,
  DIRECTORY_NOT_WRITABLE,
  DISK_FULL,
  DATABASE_AWAY,
  PEER_AWAY;

  /// For scripts, and the anchor of its section.
  public String label() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
