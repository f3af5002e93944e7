using System.Text;
using Myna.Host;

namespace Myna.Exec;

/// <summary>Text for the user. Lines end in CR LF on a raw terminal, where a line feed alone only goes down.</summary>
internal static class Output
{
    /// <summary>Set while a guest has the terminal.</summary>
    public static bool Raw { get; set; }

    /// <summary>A line of the program's result.</summary>
    public static void Line(string text) => Write(StandardStreams.OpenOutput(), text);

    /// <summary>The program's whole result.</summary>
    /// <returns>The exit status: 0.</returns>
    public static int Result(string text)
    {
        Line(text);
        return 0;
    }

    /// <summary>A line about the program itself.</summary>
    public static void Note(string text) => Write(StandardStreams.OpenError(), text);

    /// <summary>Says what went wrong, on standard error.</summary>
    /// <returns>The exit status.</returns>
    public static int Fail(string message, int status = 1)
    {
        Note("myna: " + message);
        return status;
    }

    /// <summary>Says what went wrong, by the exception that nothing else has caught.</summary>
    /// <returns>The exit status.</returns>
    public static int Fail(Exception e) => e switch
    {
        UserException user => Fail(user.Message, user.Status),
        OperationCanceledException => Fail("interrupted", 130),
        IOException or UnauthorizedAccessException => Fail(e.Message),
        OutOfMemoryException => Fail("the host has not enough memory; give --memory a smaller value"),
        // A defect of Myna's own: the trace helps whoever mends it, and nobody else.
        _ when Environment.GetEnvironmentVariable("MYNA_DEBUG") is not null => Fail(e.ToString()),
        _ => Fail($"internal error: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}\nset MYNA_DEBUG=1 to see where it comes from"),
    };

    private static void Write(Stream stream, string text)
    {
        try
        {
            text = text.ReplaceLineEndings("\n") + "\n";
            stream.Write(Encoding.UTF8.GetBytes(Raw ? text.Replace("\n", "\r\n", StringComparison.Ordinal) : text));
        }
        catch (IOException)
        {
            // Nobody listens.
        }
    }
}
