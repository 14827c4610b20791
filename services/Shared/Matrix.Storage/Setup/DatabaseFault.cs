namespace Matrix.Storage.Setup;

/// <summary>Something about the database that this release must not or should not run with.</summary>
/// <param name="Problem">What is wrong, one sentence.</param>
/// <param name="Cure">What the administrator does about it.</param>
/// <param name="Sql">Statements that mend it; null when SQL alone cannot.</param>
/// <param name="IsWarning">True: is said, does not stop a start.</param>
public sealed record DatabaseFault(string Problem, string Cure, string? Sql = null, bool IsWarning = false)
{
    public override string ToString() => Sql is null ? $"{Problem} {Cure}" : $"{Problem} {Cure}\n    {Sql.ReplaceLineEndings("\n    ")}";
}

/// <summary>A fault found where nothing can go on with it.</summary>
public sealed class DatabaseFaultException(DatabaseFault fault) : Exception(fault.ToString())
{
    public DatabaseFault Fault { get; } = fault;
}
