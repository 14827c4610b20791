using Matrix.Storage.Streams;

namespace Matrix.Storage.Keys;

/// <param name="KeyId">Without the algorithm.</param>
/// <param name="Key">Canonical JSON.</param>
public sealed record NewKey(string Algorithm, string KeyId, byte[] Key);

/// <summary>What a device uploads.</summary>
/// <param name="DeviceKeys">Canonical JSON; null: not among it.</param>
/// <param name="SignedHash">SHA-256 of the device keys without signatures; given when they are.</param>
public sealed record KeyUpload(
    string UserId, string DeviceId, byte[]? DeviceKeys, byte[]? SignedHash, IReadOnlyList<NewKey> OneTimeKeys, IReadOnlyList<NewKey> FallbackKeys);

public enum KeyUploadFault { None, NoDevice, KeyReplaced, TooMany }

/// <param name="Fault">Not <see cref="KeyUploadFault.None"/>: nothing was written.</param>
/// <param name="ReplacedKey">Algorithm and id of a key that has another value already.</param>
/// <param name="Counts">One-time keys to be had, by algorithm.</param>
public sealed record KeyUploadResult(
    KeyUploadFault Fault, string? ReplacedKey, IReadOnlyList<KeyValuePair<string, long>> Counts, IReadOnlyList<StreamBatch> Batches);

/// <summary>What a device has left.</summary>
/// <param name="OneTime">One-time keys to be had, by algorithm; algorithms with none are left out.</param>
/// <param name="UnusedFallback">Algorithms with a fallback key that was never given.</param>
public sealed record DeviceKeyCounts(IReadOnlyList<KeyValuePair<string, long>> OneTime, IReadOnlyList<string> UnusedFallback);

public readonly record struct KeyWish(string UserId, string DeviceId, string Algorithm);

/// <param name="Key">Canonical JSON: a string or an object.</param>
public sealed record ClaimedKey(string UserId, string DeviceId, string Algorithm, string KeyId, byte[] Key);

/// <param name="DeviceId">Null: all devices of the user.</param>
public readonly record struct DeviceWish(string UserId, string? DeviceId);

/// <param name="KeyId">With its algorithm.</param>
public readonly record struct KeySignature(string KeyId, string Signature);

/// <param name="Keys">Canonical JSON as uploaded.</param>
/// <param name="Signatures">Later ones, by the user's self-signing key.</param>
public sealed record StoredDeviceKeys(string UserId, string DeviceId, byte[] Keys, string? DisplayName, IReadOnlyList<KeySignature> Signatures);

public sealed record StoredCrossSigningKey(string UserId, string Usage, string PublicKey, byte[] Keys);

public sealed record StoredMasterSignature(string TargetUserId, string TargetKey, string SignerUserId, KeySignature Signature);

/// <summary>Everything that somebody may see of some users' keys.</summary>
public sealed record StoredKeys(List<StoredDeviceKeys> Devices, List<StoredCrossSigningKey> CrossSigning, List<StoredMasterSignature> MasterSignatures);
