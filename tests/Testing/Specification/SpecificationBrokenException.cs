namespace Matrix.Testing.Specification;

/// <summary>An answer is not as the specification has it.</summary>
public sealed class SpecificationBrokenException(string method, Uri address, int status, IReadOnlyList<string> faults)
    : Exception($"{method} {address.PathAndQuery} was answered with {status} against the specification:\n  {string.Join("\n  ", faults)}");
