package dev.penstock.protocol.net;

import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.util.InsecureTrustManagerFactory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// TLS 1.2 and 1.3 from PEM files, which may be replaced while the process runs: a new connection
/// uses the files of that moment, looked at no more than once a second. Files that cannot be used
/// leave the last good ones in force and are logged. Safe for use by several threads.
public final class Tls {
  /// Which end of the handshake.
  public enum Side {
    CLIENT,
    SERVER
  }

  /// The files of one end.
  ///
  /// @param certificate PEM certificate chain of this end, with `key`; null for a client without
  ///   one
  /// @param key PEM PKCS#8 private key without a password
  /// @param authority PEM certificates that the peer's must lead to. Server: null asks clients for
  ///   none. Client: null trusts what the platform trusts
  /// @param trust whether a client checks the server at all
  public record Pem(
      @Nullable Path certificate, @Nullable Path key, @Nullable Path authority, Trust trust) {}

  /// Whether the peer's certificate is checked.
  public enum Trust {
    VERIFIED,
    /// The certificate must lead to the authority, whatever name it is for: among peers with an
    /// authority of their own, whose addresses change.
    AUTHORITY,
    /// For trials only: anybody in between can read and change everything.
    ANYTHING
  }

  private static final Logger log = LoggerFactory.getLogger(Tls.class);
  private static final long LOOK_AGAIN_NANOS = 1_000_000_000L;

  private final Side side;
  private final Pem files;
  private volatile Loaded loaded;

  private record Loaded(SslContext context, List<FileTime> stamps, long lookedAt) {}

  private Tls(Side side, Pem files) throws IOException {
    this.side = side;
    this.files = files;
    List<FileTime> stamps = stamps();
    this.loaded = new Loaded(load(), stamps, System.nanoTime());
  }

  /// Loads the files.
  ///
  /// @throws IOException a file cannot be read or used; the message names it
  public static Tls load(Side side, Pem files) throws IOException {
    return new Tls(side, files);
  }

  /// An engine for one connection of a server whose sockets are not ours, with the files of this
  /// moment.
  public SSLEngine engine() {
    return context().newEngine(ByteBufAllocator.DEFAULT);
  }

  SslContext context() {
    Loaded now = loaded;
    long time = System.nanoTime();
    if (time - now.lookedAt() > LOOK_AGAIN_NANOS) {
      loaded = now = refreshed(now, time);
    }
    return now.context();
  }

  private Loaded refreshed(Loaded old, long time) {
    List<FileTime> stamps = old.stamps();
    try {
      stamps = stamps();
      if (!stamps.equals(old.stamps())) {
        var context = load();
        log.atInfo().addKeyValue("files", files).log("reloaded TLS certificates");
        return new Loaded(context, stamps, time);
      }
    } catch (IOException e) {
      log.atWarn()
          .addKeyValue("cause", e.getMessage())
          .log("new TLS certificates cannot be used; the old ones stay in force");
    }
    return new Loaded(old.context(), stamps, time);
  }

  private List<FileTime> stamps() throws IOException {
    var stamps = new ArrayList<FileTime>();
    for (Path file :
        Stream.of(files.certificate(), files.key(), files.authority())
            .filter(Objects::nonNull)
            .toList()) {
      stamps.add(Files.getLastModifiedTime(file));
    }
    return stamps;
  }

  private SslContext load() throws IOException {
    try {
      SslContextBuilder builder;
      if (side == Side.SERVER) {
        builder =
            SslContextBuilder.forServer(
                Objects.requireNonNull(files.certificate()).toFile(),
                Objects.requireNonNull(files.key()).toFile());
        if (files.authority() != null) {
          builder.trustManager(files.authority().toFile()).clientAuth(ClientAuth.REQUIRE);
        }
      } else {
        builder = SslContextBuilder.forClient().endpointIdentificationAlgorithm("HTTPS");
        if (files.certificate() != null && files.key() != null) {
          builder.keyManager(files.certificate().toFile(), files.key().toFile());
        }
        if (files.trust() == Trust.ANYTHING) {
          builder
              .trustManager(InsecureTrustManagerFactory.INSTANCE)
              .endpointIdentificationAlgorithm("");
        } else if (files.authority() != null) {
          builder.trustManager(files.authority().toFile());
          if (files.trust() == Trust.AUTHORITY) {
            builder.endpointIdentificationAlgorithm("");
          }
        }
      }
      return builder.protocols("TLSv1.3", "TLSv1.2").build();
    } catch (SSLException | IllegalArgumentException e) {
      throw new IOException(
          "the TLS files "
              + Stream.of(files.certificate(), files.key(), files.authority())
                  .filter(Objects::nonNull)
                  .toList()
              + " cannot be used: "
              + e.getMessage()
              + " (expected: PEM certificates and a PKCS#8 key without a password)",
          e);
    }
  }
}
