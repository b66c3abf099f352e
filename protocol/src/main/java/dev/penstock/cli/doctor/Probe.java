package dev.penstock.cli.doctor;

import dev.penstock.cli.doctor.Seen.Dial;
import dev.penstock.cli.doctor.Seen.Http;
import dev.penstock.cli.doctor.Seen.Names;
import dev.penstock.cli.doctor.Seen.Tls;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;

/// Looks at a network, one step at a time, and says what it saw. Everything blocks, for the time
/// given at most. The libraries that carry Penstock's bytes take these steps as one, and cannot say
/// which of them failed.
///
/// @param patience for each step, 1 s to 5 min
public record Probe(Duration patience) {
  /// What was seen, and the connection when there is one.
  ///
  /// @param connection to be closed by its owner; null when there is none
  public record Opened<S extends Seen>(S seen, @Nullable Connection connection) {}

  public Probe {
    if (patience.compareTo(Duration.ofSeconds(1)) < 0
        || patience.compareTo(Duration.ofMinutes(5)) > 0) {
      throw new IllegalArgumentException("patience: " + patience + " (expected: 1 s to 5 min)");
    }
  }

  /// Looks a name up.
  public Names names(String host) {
    try {
      return new Names(
          Arrays.stream(InetAddress.getAllByName(bare(host)))
              .map(InetAddress::getHostAddress)
              .toList(),
          "");
    } catch (UnknownHostException _) {
      return new Names(List.of(), "there is no such name");
    }
  }

  /// Connects to the first of a host's addresses that takes the connection.
  public Opened<Dial> dial(String host, int port) {
    var last = new Dial(Dial.Outcome.UNREACHABLE, new InetSocketAddress(0), Duration.ZERO, "");
    try {
      for (InetAddress address : InetAddress.getAllByName(bare(host))) {
        var opened = dial(new InetSocketAddress(address, port));
        if (opened.connection() != null) {
          return opened;
        }
        last = opened.seen();
      }
    } catch (UnknownHostException _) {
      last =
          new Dial(
              Dial.Outcome.UNREACHABLE,
              InetSocketAddress.createUnresolved(host, port),
              Duration.ZERO,
              "there is no such name");
    }
    return new Opened<>(last, null);
  }

  private Opened<Dial> dial(InetSocketAddress address) {
    long start = System.nanoTime();
    var socket = new Socket();
    try {
      socket.connect(address, millis());
      socket.setTcpNoDelay(true);
      return new Opened<>(
          new Dial(Dial.Outcome.OPEN, address, since(start), ""), new Connection(socket, patience));
    } catch (IOException e) {
      Connection.closeQuietly(socket);
      Dial.Outcome outcome =
          switch (e) {
            case SocketTimeoutException _ -> Dial.Outcome.SILENT;
            case ConnectException refused
                when String.valueOf(refused.getMessage()).contains("refused") ->
                Dial.Outcome.REFUSED;
            default -> Dial.Outcome.UNREACHABLE;
          };
      return new Opened<>(
          new Dial(outcome, address, since(start), String.valueOf(e.getMessage())), null);
    }
  }

  /// A TLS handshake on a connection, which is then its; any certificate is taken, and looked at.
  public Opened<Tls> tls(Connection plain, String host, Trust trust) {
    var chain = new AtomicReference<List<X509Certificate>>(List.of());
    try {
      var context = SSLContext.getInstance("TLS");
      context.init(trust.keys(), new TrustManager[] {new Recorder(chain)}, null);
      var socket =
          (SSLSocket)
              context
                  .getSocketFactory()
                  .createSocket(plain.socket(), bare(host), plain.socket().getPort(), true);
      socket.setSoTimeout(millis());
      socket.startHandshake();
      return new Opened<>(
          new Tls(
              Tls.Outcome.DONE,
              socket.getSession().getProtocol(),
              chain.get(),
              trust.distrust(chain.get()),
              ""),
          new Connection(socket, patience));
    } catch (IOException e) {
      plain.close();
      String detail = String.valueOf(e.getMessage());
      Tls.Outcome outcome;
      if (e instanceof SocketTimeoutException) {
        outcome = Tls.Outcome.SILENT;
      } else if (detail.contains("Unsupported or unrecognized")) {
        outcome = Tls.Outcome.NOT_TLS;
      } else if (e instanceof SSLException && detail.contains("alert")) {
        outcome = Tls.Outcome.REFUSED;
      } else {
        outcome = Tls.Outcome.CLOSED;
      }
      return new Opened<>(new Tls(outcome, "", chain.get(), null, detail), null);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java platform has TLS", e);
    }
  }

  /// One request without a body, after which the connection is of no use.
  public Http get(Connection connection, String path, Map<String, String> headers) {
    return connection.request(path, headers);
  }

  private static String bare(String host) {
    return host.startsWith("[") && host.endsWith("]") ? host.substring(1, host.length() - 1) : host;
  }

  private int millis() {
    return Math.toIntExact(patience.toMillis());
  }

  private static Duration since(long start) {
    return Duration.ofNanos(System.nanoTime() - start);
  }

  /// Takes every certificate and remembers it.
  private static final class Recorder extends X509ExtendedTrustManager {
    private final AtomicReference<List<X509Certificate>> seen;

    Recorder(AtomicReference<List<X509Certificate>> seen) {
      this.seen = seen;
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type) {
      seen.set(List.of(chain));
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket) {
      seen.set(List.of(chain));
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) {
      seen.set(List.of(chain));
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type) {}

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket) {}

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return new X509Certificate[0];
    }
  }
}
