package dev.penstock.cli.doctor;

import dev.penstock.config.PemFiles;
import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertPathBuilder;
import java.security.cert.CertStore;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXBuilderParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CertSelector;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Date;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import org.jspecify.annotations.Nullable;

/// Whom a TLS client trusts, and who it is. Immutable.
public final class Trust {
  private final Set<X509Certificate> authorities;
  private final KeyManager[] keys;

  private Trust(Set<X509Certificate> authorities, KeyManager[] keys) {
    this.authorities = Set.copyOf(authorities);
    this.keys = keys;
  }

  /// From PEM files.
  ///
  /// @param caFile null trusts what the Java platform trusts
  /// @param certFile null shows no certificate; goes with `keyFile`
  /// @throws IOException a file cannot be read or used; the message names it
  public static Trust of(@Nullable Path caFile, @Nullable Path certFile, @Nullable Path keyFile)
      throws IOException {
    try {
      var factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      factory.init(caFile == null ? (KeyStore) null : PemFiles.trusting(caFile));
      var authorities = new HashSet<X509Certificate>();
      for (var manager : factory.getTrustManagers()) {
        if (manager instanceof X509TrustManager x509) {
          authorities.addAll(List.of(x509.getAcceptedIssuers()));
        }
      }
      var identity = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
      identity.init(
          certFile == null || keyFile == null ? null : PemFiles.identity(certFile, keyFile),
          new char[0]);
      return new Trust(authorities, identity.getKeyManagers());
    } catch (GeneralSecurityException e) {
      throw new IOException("TLS cannot be used: " + e.getMessage(), e);
    }
  }

  KeyManager[] keys() {
    return keys.clone();
  }

  /// Why a chain leads to no authority that is trusted, or null. Its dates are not looked at: they
  /// are another question.
  @Nullable String distrust(List<X509Certificate> chain) {
    X509Certificate own = chain.getFirst();
    if (authorities.contains(own)) {
      return null;
    }
    if (authorities.isEmpty()) {
      return "no authority is trusted here";
    }
    try {
      var wanted = new X509CertSelector();
      wanted.setCertificate(own);
      var anchors = new HashSet<TrustAnchor>();
      authorities.forEach(authority -> anchors.add(new TrustAnchor(authority, null)));
      var parameters = new PKIXBuilderParameters(anchors, wanted);
      parameters.setRevocationEnabled(false);
      parameters.setDate(Date.from(own.getNotAfter().toInstant().minusSeconds(1)));
      parameters.addCertStore(
          CertStore.getInstance(
              "Collection", new CollectionCertStoreParameters(new ArrayList<>(chain))));
      CertPathBuilder.getInstance("PKIX").build(parameters);
      return null;
    } catch (GeneralSecurityException _) {
      return "no authority that is trusted here has signed it";
    }
  }
}
