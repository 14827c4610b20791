using Matrix.Primitives;
using Matrix.Sync.Answers;

namespace Matrix.Sync.Sliding.Extensions;

/// <summary>Device lists that changed, and what is left of the device's keys. Spec: MSC3884</summary>
internal sealed class EncryptionExtension(ExtensionRequest request) : SlidingExtension(request)
{
    public override void Plan(ExtensionContext context)
    {
    }

    public override bool HasNews => false;
    public override bool IsWritten => true;

    public override void Write(PooledBuffer output, ExtensionContext context) =>
        output.Raw("{\"device_one_time_keys_count\":{\"signed_curve25519\":0},\"device_unused_fallback_key_types\":[]}"u8);
}
