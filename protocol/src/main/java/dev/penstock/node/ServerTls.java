package dev.penstock.node;

import dev.penstock.config.ConfigException;
import dev.penstock.config.Origins;
import dev.penstock.protocol.net.Tls;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// The certificate that a node shows at one of its listeners.
public final class ServerTls {
  private ServerTls() {}

  /// Reads the files, which may block.
  ///
  /// @param key of the certificate's file in the settings
  /// @param clientCa the authorities of clients' certificates, which are then demanded; null
  ///   demands none
  /// @throws ConfigException the files do not fit each other or cannot be read any more
  public static Tls load(
      Origins origins, String key, Path cert, Path privateKey, @Nullable Path clientCa) {
    try {
      return Tls.load(Tls.Side.SERVER, new Tls.Pem(cert, privateKey, clientCa, Tls.Trust.VERIFIED));
    } catch (IOException e) {
      throw origins.refuse(key, cert, "a certificate and key that fit: " + e.getMessage());
    }
  }
}
