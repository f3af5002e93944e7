using System.Text;
using Myna.Host;

namespace Myna.Cli;

/// <summary>Text for the user. Lines end in CR LF on a raw terminal, where a line feed alone only goes down.</summary>
internal static class Output
{
    /// <summary>Set while a guest has the terminal.</summary>
    public static bool Raw { get; set; }

    /// <summary>A line of the program's result.</summary>
    public static void Line(string text) => Write(StandardStreams.OpenOutput(), text);

    /// <summary>A line about the program itself.</summary>
    public static void Note(string text) => Write(StandardStreams.OpenError(), text);

    /// <summary>Says what went wrong, on standard error.</summary>
    /// <returns>The exit status.</returns>
    public static int Fail(string message, int status = 1)
    {
        Note("myna: " + message);
        return status;
    }

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
