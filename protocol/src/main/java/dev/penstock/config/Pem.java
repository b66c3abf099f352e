package dev.penstock.config;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Whether a file holds what TLS will need of it, asked before anything is bound.
final class Pem {
  private static final Pattern KEY =
      Pattern.compile("-----BEGIN ([A-Z ]*)PRIVATE KEY-----([^-]*)-----END \\1PRIVATE KEY-----");
  private static final List<String> KEY_ALGORITHMS = List.of("RSA", "EC", "EdDSA");

  private Pem() {}

  static void checkCertificates(byte[] content) throws Unacceptable {
    try {
      var factory = CertificateFactory.getInstance("X.509");
      if (factory.generateCertificates(new ByteArrayInputStream(content)).isEmpty()) {
        throw new Unacceptable("which holds no certificate");
      }
    } catch (CertificateException e) {
      throw new Unacceptable("which holds no certificate that can be read");
    }
  }

  static void checkPrivateKey(byte[] content) throws Unacceptable {
    Matcher matcher = KEY.matcher(new String(content, StandardCharsets.ISO_8859_1));
    if (!matcher.find()) {
      throw new Unacceptable("which holds no private key");
    }
    String type = matcher.group(1).strip();
    if (!type.isEmpty()) {
      throw new Unacceptable("which holds an " + type + " PRIVATE KEY");
    }
    try {
      var spec = new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(matcher.group(2)));
      for (String algorithm : KEY_ALGORITHMS) {
        if (isKey(algorithm, spec)) {
          return;
        }
      }
    } catch (IllegalArgumentException _) {
      throw new Unacceptable("whose private key is not base64");
    }
    throw new Unacceptable("whose private key is none of " + String.join(", ", KEY_ALGORITHMS));
  }

  private static boolean isKey(String algorithm, PKCS8EncodedKeySpec spec) {
    try {
      KeyFactory.getInstance(algorithm).generatePrivate(spec);
      return true;
    } catch (GeneralSecurityException _) {
      return false;
    }
  }
}
