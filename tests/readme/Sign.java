// What README.md's section for enterprises does with openssl, in Java 17: `java Sign.java` prints the envelope.
import java.io.*; import java.nio.file.*; import java.security.*; import java.security.spec.*; import java.util.*;

public class Sign {
    public static void main(String[] arguments) throws Exception {
        byte[] payload = Files.readAllBytes(Path.of("payload"));
        String type = "application/vnd.hazledger.record.v1+json";
        var pae = new ByteArrayOutputStream();
        pae.write(("DSSEv1 " + type.length() + " " + type + " " + payload.length + " ").getBytes("US-ASCII"));
        pae.write(payload);
        var key = KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(Files.readAllBytes(Path.of("key"))));
        var signature = Signature.getInstance("SHA256withECDSA");   // DER, as the format asks
        signature.initSign(key);
        signature.update(pae.toByteArray());
        byte[] spki = Files.readAllBytes(Path.of("spki"));
        String keyid = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(spki));
        var base64 = Base64.getEncoder();
        System.out.printf("{\"payloadType\":\"%s\",\"payload\":\"%s\",\"signatures\":[{\"keyid\":\"%s\",\"sig\":\"%s\"}]}",
            type, base64.encodeToString(payload), keyid, base64.encodeToString(signature.sign()));
    }
}
