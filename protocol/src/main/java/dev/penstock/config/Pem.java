package dev.penstock.config;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Whether files hold what TLS will need of them, asked before anything is bound.
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
    privateKey(content);
  }

  /// Whether the private key is that of the first certificate. Both were checked before.
  static boolean belongTogether(byte[] certificates, byte[] privateKey) {
    byte[] challenge = {1, 2, 3};
    try {
      var certificate =
          CertificateFactory.getInstance("X.509")
              .generateCertificates(new ByteArrayInputStream(certificates))
              .iterator()
              .next();
      PrivateKey key = privateKey(privateKey);
      var signature = Signature.getInstance(signatureOf(key));
      signature.initSign(key);
      signature.update(challenge);
      byte[] signed = signature.sign();
      signature.initVerify(certificate.getPublicKey());
      signature.update(challenge);
      return signature.verify(signed);
    } catch (GeneralSecurityException | Unacceptable e) {
      // A signature of another kind of key, or none at all.
      return false;
    }
  }

  private static String signatureOf(PrivateKey key) {
    return switch (key.getAlgorithm()) {
      case "RSA" -> "SHA256withRSA";
      case "EC" -> "SHA256withECDSA";
      default -> "EdDSA";
    };
  }

  static PrivateKey privateKey(byte[] content) throws Unacceptable {
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
        PrivateKey key = privateKey(algorithm, spec);
        if (key != null) {
          return key;
        }
      }
    } catch (IllegalArgumentException _) {
      throw new Unacceptable("whose private key is not base64");
    }
    throw new Unacceptable("whose private key is none of " + String.join(", ", KEY_ALGORITHMS));
  }

  private static @Nullable PrivateKey privateKey(String algorithm, PKCS8EncodedKeySpec spec) {
    try {
      return KeyFactory.getInstance(algorithm).generatePrivate(spec);
    } catch (GeneralSecurityException _) {
      return null;
    }
  }
}
