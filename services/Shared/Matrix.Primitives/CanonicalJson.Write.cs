using System.Buffers;

namespace Matrix.Primitives;

public static partial class CanonicalJson
{
    public static partial CanonicalJsonFault TryWrite(ReadOnlySpan<byte> json, IBufferWriter<byte> output, bool strict) => throw new NotImplementedException();
}
