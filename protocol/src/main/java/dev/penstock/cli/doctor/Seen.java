package dev.penstock.cli.doctor;

import java.net.InetSocketAddress;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What a probe saw, without any opinion.
public sealed interface Seen {
  /// What became of a look-up.
  ///
  /// @param addresses empty when there were none
  /// @param detail why there were none
  record Names(List<String> addresses, String detail) implements Seen {
    public Names {
      addresses = List.copyOf(addresses);
    }
  }

  /// What became of a TCP connect.
  ///
  /// @param address that was tried last
  record Dial(Dial.Outcome outcome, InetSocketAddress address, Duration took, String detail)
      implements Seen {
    /// How a connect ends.
    public enum Outcome {
      OPEN,
      REFUSED,
      SILENT,
      UNREACHABLE
    }
  }

  /// What became of a TLS handshake in which every certificate was taken.
  ///
  /// @param protocol such as `TLSv1.3`; empty without a handshake
  /// @param chain the server's certificates, its own first; empty without a handshake
  /// @param distrust why the chain leads to no authority that is trusted, its dates aside; null
  ///   when it leads to one
  record Tls(
      Tls.Outcome outcome,
      String protocol,
      List<X509Certificate> chain,
      @Nullable String distrust,
      String detail)
      implements Seen {
    public Tls {
      chain = List.copyOf(chain);
    }

    /// How a handshake ends.
    public enum Outcome {
      DONE,
      NOT_TLS,
      REFUSED,
      CLOSED,
      SILENT
    }
  }

  /// What became of an HTTP request.
  ///
  /// @param status 0 without an answer
  /// @param headers by name in lower case, the last of each
  /// @param body its beginning
  record Http(
      Http.Outcome outcome, int status, Map<String, String> headers, String body, String detail)
      implements Seen {
    public Http {
      headers = Map.copyOf(headers);
    }

    /// How a request ends.
    public enum Outcome {
      ANSWERED,
      NOT_HTTP,
      CLOSED,
      SILENT
    }

    /// A header, empty when there is none.
    public String header(String name) {
      return headers.getOrDefault(name, "");
    }

    /// Whether an answer is one of a Penstock gateway, by what no other server has.
    public boolean isPenstock() {
      return outcome == Http.Outcome.ANSWERED
          && (header("content-type").startsWith("application/problem+json")
              && body.contains("\"detail\""));
    }
  }
}
