package dev.penstock.cli.doctor;

import dev.penstock.cli.doctor.Seen.Http;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/// What follows from what was seen. Pure: no network, no clock.
public final class Judge {
  /// A certificate that ends sooner is to be renewed.
  static final Duration RENEW = Duration.ofDays(14);

  /// Clocks this far apart confuse nothing but logs.
  static final Duration CLOCKS_AGREE = Duration.ofSeconds(30);

  /// Clocks this far apart break certificates and tokens of others.
  static final Duration CLOCKS_DIFFER = Duration.ofMinutes(5);

  /// Bytes of a disk that is as good as full.
  static final long FULL = 16L * 1024 * 1024;

  /// Bytes of a disk that will be full soon.
  static final long NEARLY_FULL = 256L * 1024 * 1024;

  private static final int DNS_NAME = 2;
  private static final int IP_ADDRESS = 7;
  private static final int SHOWN = 160;

  private Judge() {}

  /// Of a look-up.
  public static Finding names(String check, String host, Seen.Names seen) {
    return seen.addresses().isEmpty()
        ? Finding.fault(
            check,
            host,
            Symptom.NAME_NOT_FOUND,
            "no address: " + seen.detail(),
            "a name that this machine's resolver knows",
            "correct the name, or make a DNS record for it; getent hosts "
                + host
                + " asks the same resolver")
        : Finding.ok(check, host, String.join(", ", seen.addresses()));
  }

  /// Of a connect to what should listen.
  public static Finding dial(String check, String subject, Seen.Dial seen) {
    String at =
        seen.address().getAddress() == null
            ? seen.address().toString()
            : seen.address().getAddress().getHostAddress() + ":" + seen.address().getPort();
    return switch (seen.outcome()) {
      case OPEN -> Finding.ok(check, subject, at + " in " + seen.took().toMillis() + " ms");
      case REFUSED ->
          Finding.fault(
              check,
              subject,
              Symptom.NOBODY_LISTENS,
              at + " refuses the connection",
              "a program that listens there",
              "start it, or correct the port; a firewall that rejects looks the same");
      case SILENT ->
          Finding.fault(
              check,
              subject,
              Symptom.PORT_BLOCKED,
              at + " says nothing for " + seen.took().toSeconds() + " s",
              "a connection within a second",
              "open the port in the firewalls and security groups in between");
      case UNREACHABLE ->
          Finding.fault(
              check,
              subject,
              Symptom.PORT_BLOCKED,
              at + ": " + seen.detail(),
              "a way there",
              "look at the routes, the VPN and the firewalls of this machine");
    };
  }

  /// Of a TLS handshake: the certificate's dates, then who signed it, then whom it is for.
  ///
  /// @param now by the clock of this machine
  /// @param checked false when the settings say that anything is accepted
  public static Finding tls(
      String check, String url, String host, Seen.Tls seen, Instant now, Checked checked) {
    return switch (seen.outcome()) {
      case NOT_TLS ->
          Finding.fault(
              check,
              url,
              Symptom.PLAIN_HTTP,
              "the other end speaks no TLS",
              "TLS, because the URL says https",
              "write http:// where the gateway has no gateway.tls, or give it a certificate");
      case SILENT ->
          Finding.fault(
              check,
              url,
              Symptom.NO_ANSWER,
              "connected, then silence",
              "a TLS handshake",
              "the port belongs to something else, or what answers it stands still; look at the"
                  + " gateway's log and at what is in front of it");
      case CLOSED ->
          Finding.fault(
              check,
              url,
              Symptom.TLS_REFUSED,
              "closed during the handshake: " + seen.detail(),
              "a TLS handshake",
              "look at the gateway's log, and at what is in front of it");
      case REFUSED ->
          Finding.fault(
              check,
              url,
              Symptom.TLS_REFUSED,
              "the other end ends the handshake: " + seen.detail(),
              "a handshake",
              "with gateway.tls.client_ca the agent needs pipeops.tls.cert_file and key_file of"
                  + " that authority");
      case DONE -> certificate(check, url, host, seen, now, checked);
    };
  }

  /// Whether the settings want the certificate checked.
  public enum Checked {
    YES,
    NO
  }

  private static Finding certificate(
      String check, String url, String host, Seen.Tls seen, Instant now, Checked checked) {
    X509Certificate own = seen.chain().getFirst();
    String what = seen.protocol() + ", certificate of " + name(own);
    if (checked == Checked.NO) {
      return Finding.warning(
          check,
          url,
          Symptom.CERTIFICATE_NOT_CHECKED,
          what + ", not checked",
          "a certificate that is checked",
          "set ca_file and take insecure_skip_verify away: anybody on the way can read the token");
    }
    Optional<Finding> dates = dates(check, url, seen.chain(), now);
    if (dates.isPresent() && dates.get().isFault()) {
      return dates.get();
    }
    if (seen.distrust() != null) {
      return Finding.fault(
          check,
          url,
          Symptom.UNTRUSTED_AUTHORITY,
          "issued by " + own.getIssuerX500Principal().getName() + ": " + seen.distrust(),
          "a certificate of an authority that is trusted here",
          "give that authority's certificate as pipeops.tls.ca_file, or have the gateway send the"
              + " certificates in between too");
    }
    if (!isFor(own, host)) {
      return Finding.fault(
          check,
          url,
          Symptom.WRONG_HOST_NAME,
          "a certificate for " + String.join(", ", namesOf(own)),
          "one for " + host,
          "call the gateway by a name of its certificate, or have one made for this name");
    }
    return dates.orElseGet(
        () -> Finding.ok(check, url, what + ", good until " + own.getNotAfter().toInstant()));
  }

  /// Of the dates of certificates; empty when they are good for a while.
  public static Optional<Finding> dates(
      String check, String subject, List<X509Certificate> chain, Instant now) {
    for (X509Certificate one : chain) {
      Instant from = one.getNotBefore().toInstant();
      Instant until = one.getNotAfter().toInstant();
      if (now.isAfter(until) || now.isBefore(from)) {
        return Optional.of(
            Finding.fault(
                check,
                subject,
                Symptom.CERTIFICATE_EXPIRED,
                "the certificate of "
                    + name(one)
                    + (now.isAfter(until) ? " ended at " + until : " is not good before " + from)
                    + "; here it is "
                    + now,
                "one that is good now",
                "renew it, and replace its file; Penstock reads it again by itself. If the date of"
                    + " this machine is wrong, set its clock"));
      }
    }
    for (X509Certificate one : chain) {
      Instant until = one.getNotAfter().toInstant();
      if (now.plus(RENEW).isAfter(until)) {
        return Optional.of(
            Finding.warning(
                check,
                subject,
                Symptom.CERTIFICATE_EXPIRES_SOON,
                "the certificate of " + name(one) + " ends at " + until,
                "one that is good for " + RENEW.toDays() + " days more",
                "renew it"));
      }
    }
    return Optional.empty();
  }

  /// Whether a certificate is for a host: by its alternative names, as RFC 9525 has it.
  public static boolean isFor(X509Certificate certificate, String host) {
    return namesOf(certificate).stream().anyMatch(name -> covers(name, host));
  }

  static boolean covers(String name, String host) {
    if (name.equalsIgnoreCase(host)) {
      return true;
    }
    int dot = host.indexOf('.');
    return name.startsWith("*.")
        && dot > 0
        && name.substring(1).equalsIgnoreCase(host.substring(dot));
  }

  private static List<String> namesOf(X509Certificate certificate) {
    var names = new ArrayList<String>();
    try {
      Collection<List<?>> all = certificate.getSubjectAlternativeNames();
      if (all != null) {
        for (List<?> one : all) {
          if (one.get(0) instanceof Integer type && (type == DNS_NAME || type == IP_ADDRESS)) {
            names.add(String.valueOf(one.get(1)));
          }
        }
      }
    } catch (CertificateParsingException _) {
      // Has no name that could be compared.
    }
    return names;
  }

  private static String name(X509Certificate certificate) {
    List<String> names = namesOf(certificate);
    return names.isEmpty() ? certificate.getSubjectX500Principal().getName() : names.getFirst();
  }

  /// Of the request that wants a WebSocket.
  ///
  /// @param plain the same server's answer to a question that needs no upgrade, when it was asked
  /// @param encrypted a TLS handshake with the same server, when it was tried
  public static Finding upgrade(
      String check, String url, Http seen, Optional<Http> plain, Optional<Seen.Tls> encrypted) {
    switch (seen.outcome()) {
      case SILENT -> {
        return Finding.fault(
            check,
            url,
            Symptom.NO_ANSWER,
            "connected, then silence",
            "an answer to the upgrade",
            "the port belongs to something else, or what answers it stands still; look at the"
                + " gateway's log and at what is in front of it");
      }
      case CLOSED, NOT_HTTP -> {
        if (seen.detail().contains("alert")) {
          return Finding.fault(
              check,
              url,
              Symptom.TLS_REFUSED,
              "the other end ends TLS: " + shown(seen.detail()),
              "an answer to the upgrade",
              "with gateway.tls.client_ca the agent needs pipeops.tls.cert_file and key_file of"
                  + " that authority");
        }
        return encrypted.filter(Judge::isSpoken).isPresent()
            ? speaksTls(check, url)
            : Finding.fault(
                check,
                url,
                Symptom.ANOTHER_SERVER,
                seen.outcome() == Http.Outcome.CLOSED
                    ? "closed without an answer"
                    : "no HTTP: " + shown(seen.detail()),
                "a Penstock gateway",
                "correct host and port: it is gateway.listen of the gateway, not a public port");
      }
      case ANSWERED -> {}
    }
    if (seen.status() == 101) {
      return seen.detail().isEmpty()
          ? Finding.ok(check, url, "the upgrade to a WebSocket is granted")
          : broken(check, url, seen);
    }
    if (seen.isPenstock()) {
      return refused(check, url, seen, plain);
    }
    if (seen.status() == 400 && seen.body().toLowerCase(Locale.ROOT).contains("https")) {
      return speaksTls(check, url);
    }
    return plain.filter(Http::isPenstock).isPresent()
        ? broken(check, url, seen)
        : Finding.fault(
            check,
            url,
            Symptom.ANOTHER_SERVER,
            "answers " + seen.status() + by(seen),
            "a Penstock gateway",
            "correct the URL: host and port of gateway.listen; a path in front of it is not used");
  }

  private static boolean isSpoken(Seen.Tls seen) {
    return seen.outcome() == Seen.Tls.Outcome.DONE || seen.outcome() == Seen.Tls.Outcome.REFUSED;
  }

  private static Finding speaksTls(String check, String url) {
    return Finding.fault(
        check,
        url,
        Symptom.SPEAKS_TLS,
        "the other end speaks TLS",
        "plain HTTP, because the URL says http",
        "write https:// in the URL");
  }

  private static Finding broken(String check, String url, Http seen) {
    return Finding.fault(
        check,
        url,
        Symptom.UPGRADE_BROKEN,
        "a gateway is behind it, but the upgrade is answered with "
            + seen.status()
            + by(seen)
            + (seen.detail().isEmpty() ? "" : ", " + seen.detail()),
        "101, the upgrade to a WebSocket",
        "let the proxy in between pass Upgrade and Connection, by HTTP/1.1; nginx: proxy_http_version"
            + " 1.1, proxy_set_header Upgrade $http_upgrade, proxy_set_header Connection upgrade");
  }

  private static Finding refused(String check, String url, Http seen, Optional<Http> plain) {
    if (seen.body().contains("management.")) {
      return noAgents(check, url, seen);
    }
    if (seen.status() == 401 || seen.status() == 403) {
      return Finding.fault(
          "token",
          url,
          Symptom.WRONG_TOKEN,
          "the gateway does not know the token: " + seen.status(),
          "one of its gateway.auth.tokens",
          "compare pipeops.token with the gateway's file; a line break or a quote too many counts");
    }
    if (seen.status() == 503) {
      return Finding.warning(
          check,
          url,
          Symptom.GATEWAY_BUSY,
          "503: " + shown(seen.body()),
          "a gateway that takes links",
          "the node drains or has its hands full; an agent tries again by itself"
              + (seen.header("retry-after").isEmpty()
                  ? ""
                  : ", here after " + shown(seen.header("retry-after")) + " s"));
    }
    boolean elsewhere = plain.filter(Http::isPenstock).filter(it -> it.status() != 404).isPresent();
    return seen.status() == 404 && !elsewhere
        ? noAgents(check, url, seen)
        : broken(check, url, seen);
  }

  private static Finding noAgents(String check, String url, Http seen) {
    return Finding.fault(
        check,
        url,
        Symptom.ANOTHER_SERVER,
        seen.status() + ": this is a port of Penstock that takes no agents",
        "gateway.listen of a gateway",
        "correct the port: it is that of gateway.listen, not of management.listen");
  }

  private static String by(Http seen) {
    String server = seen.header("via").isEmpty() ? seen.header("server") : seen.header("via");
    return server.isEmpty() ? "" : " by " + shown(server);
  }

  /// What strangers say, short and without what moves a cursor.
  static String shown(String text) {
    String printable =
        text.codePoints()
            .limit(SHOWN)
            .map(code -> Character.isISOControl(code) ? ' ' : code)
            .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
            .toString();
    return printable.strip();
  }

  /// The time that an answer says it is.
  public static Optional<Instant> timeOf(Http seen) {
    String date = seen.header("date");
    try {
      return date.isEmpty()
          ? Optional.empty()
          : Optional.of(
              ZonedDateTime.parse(date, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant());
    } catch (DateTimeException _) {
      return Optional.empty();
    }
  }

  /// Of two clocks.
  ///
  /// @param whose the other one
  public static Finding clock(String whose, Instant theirs, Instant ours) {
    Duration difference = Duration.between(ours, theirs);
    Duration apart = difference.abs();
    String found =
        apart.compareTo(Duration.ofSeconds(2)) < 0
            ? "the same time as " + whose
            : "this machine is "
                + apart.toSeconds()
                + " s "
                + (difference.isNegative() ? "ahead of " : "behind ")
                + whose;
    if (apart.compareTo(CLOCKS_AGREE) <= 0) {
      return Finding.ok("clock", whose, found);
    }
    String advice = "set the clocks of both by NTP (chrony, systemd-timesyncd); timedatectl tells";
    return apart.compareTo(CLOCKS_DIFFER) <= 0
        ? Finding.warning("clock", whose, Symptom.CLOCK_OFF, found, "clocks that agree", advice)
        : Finding.fault("clock", whose, Symptom.CLOCK_OFF, found, "clocks that agree", advice);
  }

  /// Of a directory that things are kept in.
  ///
  /// @param problem why nothing can be written there; empty when something was
  /// @param free bytes that are left
  public static Finding directory(String path, String problem, long free) {
    if (!problem.isEmpty() && free > FULL) {
      return Finding.fault(
          "data-dir",
          path,
          Symptom.DIRECTORY_NOT_WRITABLE,
          problem,
          "a directory that this user can write",
          "make it, give it to the user that the gateway runs as, and look at its mount: read-only?");
    }
    String left = free / 1024 / 1024 + " MiB are free";
    if (free <= FULL) {
      return Finding.fault(
          "data-dir",
          path,
          Symptom.DISK_FULL,
          left + (problem.isEmpty() ? "" : "; " + problem),
          "room for what lasts",
          "delete something, or make the file system larger; df -h and df -i tell");
    }
    return free < NEARLY_FULL
        ? Finding.warning(
            "data-dir",
            path,
            Symptom.DISK_FULL,
            left,
            NEARLY_FULL / 1024 / 1024 + " MiB at least",
            "make room before it is full")
        : Finding.ok("data-dir", path, "can be written; " + left);
  }
}
