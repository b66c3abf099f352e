package dev.penstock.cli.doctor;

import dev.penstock.config.HostPort;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// What every examination needs, and the steps that those of an agent and of a gateway share.
///
/// @param tell gets each finding as soon as it is made
public record Examination(Probe probe, InstantSource clock, Consumer<Finding> tell) {
  /// Tells a finding; whether it is no fault.
  public boolean isGood(Finding finding) {
    tell.accept(finding);
    return !finding.isFault();
  }

  /// The way to a server: its name, TCP, and TLS where the URL wants it. Null when one of them is
  /// at fault, which was told.
  public @Nullable Connection way(URI url, Trust trust, Judge.Checked checked) {
    String subject = url.getScheme() + "://" + url.getRawAuthority();
    String host = url.getHost();
    boolean secure = isSecure(url);
    if (!isGood(Judge.names("dns", host, probe.names(host)))) {
      return null;
    }
    var dialled = probe.dial(host, portOf(url));
    if (!isGood(Judge.dial("tcp", subject, dialled.seen())) || dialled.connection() == null) {
      return null;
    }
    if (!secure) {
      return dialled.connection();
    }
    var encrypted = probe.tls(dialled.connection(), host, trust);
    Seen.Tls seen = encrypted.seen();
    boolean isQuiet =
        seen.outcome() == Seen.Tls.Outcome.CLOSED || seen.outcome() == Seen.Tls.Outcome.SILENT;
    if (isQuiet && speaksHttp(url)) {
      seen = new Seen.Tls(Seen.Tls.Outcome.NOT_TLS, "", List.of(), null, seen.detail());
    }
    boolean good = isGood(Judge.tls("tls", subject, host, seen, clock.instant(), checked));
    if (!good && encrypted.connection() != null) {
      encrypted.connection().close();
    }
    return good ? encrypted.connection() : null;
  }

  private boolean speaksHttp(URI url) {
    Connection plain = probe.dial(url.getHost(), portOf(url)).connection();
    if (plain == null) {
      return false;
    }
    try (plain) {
      var answer = probe.get(plain, "/", Map.of("Host", url.getRawAuthority()));
      return answer.outcome() == Seen.Http.Outcome.ANSWERED;
    }
  }

  /// As [#way], for one that was good before: tells nothing.
  public @Nullable Connection again(URI url, Trust trust) {
    var dialled = probe.dial(url.getHost(), portOf(url));
    Connection plain = dialled.connection();
    return plain == null || !isSecure(url)
        ? plain
        : probe.tls(plain, url.getHost(), trust).connection();
  }

  /// A TLS handshake where a URL says that there is none; empty when nobody listens.
  public Optional<Seen.Tls> encrypted(URI url, Trust trust) {
    var dialled = probe.dial(url.getHost(), portOf(url));
    if (dialled.connection() == null) {
      return Optional.empty();
    }
    var encrypted = probe.tls(dialled.connection(), url.getHost(), trust);
    if (encrypted.connection() != null) {
      encrypted.connection().close();
    }
    return Optional.of(encrypted.seen());
  }

  /// Whether a port could be listened on, by listening on it for a moment.
  public static Finding bindable(String check, HostPort address) {
    try (var socket = new ServerSocket()) {
      socket.setReuseAddress(true);
      socket.bind(new InetSocketAddress(InetAddress.getByName(address.host()), address.port()));
      return Finding.ok(check, address.toString(), "free, nobody listens there now");
    } catch (BindException e) {
      return String.valueOf(e.getMessage()).contains("in use")
          ? taken(check, address)
          : Finding.fault(
              check,
              address.toString(),
              Symptom.ADDRESS_NOT_HERE,
              String.valueOf(e.getMessage()),
              "an address of this machine, and a port that this user may use",
              "correct the address (ip addr shows this machine's); ports below 1024 need root or"
                  + " CAP_NET_BIND_SERVICE");
    } catch (IOException e) {
      return Finding.fault(
          check,
          address.toString(),
          Symptom.ADDRESS_NOT_HERE,
          String.valueOf(e.getMessage()),
          "an address of this machine",
          "correct the address; ip addr shows this machine's");
    }
  }

  /// Somebody else has a port.
  public static Finding taken(String check, HostPort address) {
    return Finding.fault(
        check,
        address.toString(),
        Symptom.PORT_TAKEN,
        "another program listens there",
        "a free port, or this node itself",
        "end the other program, or choose another port; ss -ltnp tells who it is");
  }

  /// An address to dial for one that is listened on: a wildcard is reached at loopback.
  public static String reachable(HostPort listen) {
    return switch (listen.host()) {
      case "0.0.0.0" -> "127.0.0.1";
      case "::" -> "::1";
      default -> listen.host();
    };
  }

  private static boolean isSecure(URI url) {
    return "https".equals(url.getScheme()) || "wss".equals(url.getScheme());
  }

  /// The port of a URL, or that of its scheme.
  public static int portOf(URI url) {
    if (url.getPort() >= 0) {
      return url.getPort();
    }
    return isSecure(url) ? 443 : 80;
  }
}
