package dev.penstock.config;

import java.io.ByteArrayInputStream;
import java.io.FileInputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.List;

/// PEM files as the Java platform's own TLS wants them: for the commands, which have no event
/// loops. Any thread.
public final class PemFiles {
  private static final int MAX_BYTES = 1024 * 1024;

  private PemFiles() {}

  /// The certificates of a file, in its order, at least one.
  ///
  /// @throws IOException the file cannot be read or used; the message names it
  public static List<X509Certificate> certificates(Path file) throws IOException {
    byte[] content = read(file);
    try {
      var found =
          CertificateFactory.getInstance("X.509")
              .generateCertificates(new ByteArrayInputStream(content))
              .stream()
              .map(X509Certificate.class::cast)
              .toList();
      if (found.isEmpty()) {
        throw new IOException(file + ": holds no certificate (expected: PEM certificates)");
      }
      return found;
    } catch (CertificateException e) {
      throw new IOException(
          file + ": holds no certificate that can be read (expected: PEM certificates)", e);
    }
  }

  /// The file's certificates as those that are trusted.
  ///
  /// @throws IOException the file cannot be read or used; the message names it
  public static KeyStore trusting(Path file) throws IOException {
    KeyStore store = empty();
    List<X509Certificate> certificates = certificates(file);
    try {
      for (int i = 0; i < certificates.size(); i++) {
        store.setCertificateEntry("ca" + i, certificates.get(i));
      }
      return store;
    } catch (GeneralSecurityException e) {
      throw new IOException(file + ": cannot be used: " + e.getMessage(), e);
    }
  }

  /// A certificate chain with its private key, which has no password.
  ///
  /// @throws IOException a file cannot be read or used; the message names it
  public static KeyStore identity(Path certificate, Path key) throws IOException {
    KeyStore store = empty();
    List<X509Certificate> chain = certificates(certificate);
    try {
      PrivateKey secret = Pem.privateKey(read(key));
      store.setKeyEntry("own", secret, new char[0], chain.toArray(Certificate[]::new));
      return store;
    } catch (GeneralSecurityException | Unacceptable e) {
      throw new IOException(
          key + ": " + e.getMessage() + " (expected: a PKCS#8 key without a password)", e);
    }
  }

  private static byte[] read(Path file) throws IOException {
    try (var in = new FileInputStream(file.toFile())) {
      byte[] content = in.readNBytes(MAX_BYTES + 1);
      if (content.length > MAX_BYTES) {
        throw new IOException(file + ": larger than " + MAX_BYTES + " bytes");
      }
      return content;
    }
  }

  private static KeyStore empty() throws IOException {
    try {
      var store = KeyStore.getInstance("PKCS12");
      store.load(null, null);
      return store;
    } catch (GeneralSecurityException e) {
      throw new IOException("this Java platform has no PKCS12: " + e.getMessage(), e);
    }
  }
}
