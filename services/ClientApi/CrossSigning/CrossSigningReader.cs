using System.Text.Json;
using Matrix.Events;
using Matrix.FederationClient.DeviceKeys;
using Matrix.Primitives;
using Matrix.Storage.Keys;
using Matrix.Web.Json;
using Matrix.Web.Keys;

namespace Matrix.ClientApi.CrossSigning;

/// <summary>Reads the body of /keys/device_signing/upload. Spec: openapi/client-server/cross_signing.yaml</summary>
internal static class CrossSigningReader
{
    private const int MaxKey = 16 * 1024, PublicKeyBytes = 32;

    public static List<NewCrossSigningKey> Read(JsonElement request, string userId)
    {
        var keys = new List<NewCrossSigningKey>(3);
        foreach (var usage in new[] { "master", "self_signing", "user_signing" })
            if (request.ObjectOrNull(usage + "_key") is { } key) keys.Add(Key(key, usage, userId));
        return keys.Count > 0 ? keys : throw MatrixError.MissingParam("No keys are given.").AsException();
    }

    private static NewCrossSigningKey Key(JsonElement key, string usage, string userId)
    {
        var name = usage + "_key";
        if (key.Text("user_id") != userId) throw MatrixError.InvalidParam($"'{name}' is of another user").AsException();
        var isOfUsage = false;
        foreach (var u in key.Array("usage").EnumerateArray()) isOfUsage |= u.ValueKind == JsonValueKind.String && u.ValueEquals(usage);
        if (!isOfUsage) throw MatrixError.InvalidParam($"'{name}' is for another usage").AsException();
        key.Object("keys");
        if (key.ObjectOrNull("signatures") is { } signatures) KeyJson.RequireSignatures(signatures);
        var json = SignedJson.WithoutUnsigned(KeyJson.Canonical(key, MaxKey, name));
        var publicKey = CrossSigningKey.PublicKeyOf(json);
        if (publicKey is null || !UnpaddedBase64.TryDecode(publicKey, out var bytes) || bytes.Length != PublicKeyBytes)
            throw MatrixError.InvalidParam($"'{name}' must hold one Ed25519 key, under its own name").AsException();
        return new NewCrossSigningKey(usage, publicKey, json);
    }
}
