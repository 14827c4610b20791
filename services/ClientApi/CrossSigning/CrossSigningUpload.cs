using Matrix.Crypto;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Storage.Keys;
using Matrix.Storage.Streams;

namespace Matrix.ClientApi.CrossSigning;

/// <summary>New cross-signing keys: what they must be, and when their user has to prove himself first.</summary>
internal sealed class CrossSigningUpload(CrossSigningStore store, IStreamPublisher publisher, ServerIdentity server)
{
    /// <summary>What is there, and whether the upload changes something.</summary>
    public sealed record Plan(List<NewCrossSigningKey> Keys, string? SeenMaster, bool IsNothingNew)
    {
        /// <summary>The first keys need no proof; others take the place of what contacts may trust already.</summary>
        public bool NeedsProof => SeenMaster is not null && !IsNothingNew;
    }

    /// <summary>Throws what is wrong with the keys.</summary>
    public async Task<Plan> PlanAsync(string userId, List<NewCrossSigningKey> keys, CancellationToken ct)
    {
        var existing = (await store.KeysAsync(userId, ct)).ToDictionary(k => k.Usage, StringComparer.Ordinal);
        var seen = existing.GetValueOrDefault("master")?.PublicKey;
        if (keys.TrueForAll(k => existing.GetValueOrDefault(k.Usage)?.PublicKey == k.PublicKey)) return new Plan(keys, seen, IsNothingNew: true);
        var master = keys.Find(k => k.Usage == "master")?.PublicKey ?? seen
            ?? throw MatrixError.MissingParam("There is no master key that could have signed this one.").AsException();
        foreach (var key in keys)
            if (key.Usage != "master" && !IsSigned(userId, key.Keys, master))
                throw MatrixError.Custom(400, "M_INVALID_SIGNATURE", $"The {key.Usage} key is not signed by the master key.").AsException();
        if (keys.Select(k => k.PublicKey).Append(master).Distinct(StringComparer.Ordinal).Count() < (keys[0].Usage == "master" ? keys.Count : keys.Count + 1))
            throw MatrixError.InvalidParam("One key cannot be used for two things.").AsException();
        if (await store.AnyDeviceIsAsync(userId, [.. keys.Select(k => k.PublicKey)], ct)) throw MatrixError.Forbidden("Key ID in use").AsException();
        return new Plan(keys, seen, IsNothingNew: false);
    }

    private bool IsSigned(string userId, byte[] key, string master) =>
        UnpaddedBase64.TryDecode(master, out var bytes) && EventSigning.VerifyJson(key, userId, "ed25519:" + master, bytes, server.Ed25519);

    /// <summary>False: another upload was quicker; what was planned and proved does not fit any more.</summary>
    public async Task<bool> TryStoreAsync(string userId, Plan plan, CancellationToken ct)
    {
        if (plan.IsNothingNew) return true;
        if (await store.ReplaceAsync(userId, plan.Keys, plan.SeenMaster, ct) is not { } batches) return false;
        await publisher.PublishAllAsync(batches);
        return true;
    }
}
