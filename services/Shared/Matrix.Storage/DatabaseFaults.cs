using Npgsql;

namespace Matrix.Storage;

public static class DatabaseFaults
{
    /// <summary>The database is away, restarting or overloaded: the same request may succeed later.</summary>
    public static bool IsTransient(NpgsqlException e) =>
        e.IsTransient || e.InnerException is System.Net.Sockets.SocketException or IOException or TimeoutException
        || e is PostgresException { SqlState: "57P01" or "57P02" or "57P03" or "53300" or "40001" or "40P01" };

    /// <summary>The database refused what it was given: a constraint, a value. The same again is refused again.</summary>
    public static bool IsOfContent(Exception e) => e is PostgresException p && !IsTransient(p) && p.SqlState is ['2', '2' or '3', ..];

    /// <summary>Text that PostgreSQL cannot hold, which is U+0000 only: whoever sent it has to be told.</summary>
    public static bool IsOfText(NpgsqlException e) => e is PostgresException { SqlState: PostgresErrorCodes.CharacterNotInRepertoire or PostgresErrorCodes.UntranslatableCharacter };
}
