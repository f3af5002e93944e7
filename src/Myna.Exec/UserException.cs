namespace Myna.Exec;

/// <summary>Something the user can mend; the message (one or two lines) says what and how.</summary>
/// <param name="status">Exit status: 1, or 2 for wrong usage.</param>
public sealed class UserException(string message, int status = 1) : Exception(message)
{
    public int Status => status;
}
