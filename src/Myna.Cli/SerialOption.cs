using System.Net;
using Myna.Cli.Consoles;
using Myna.Control;
using Myna.Hardware.Backends;

namespace Myna.Cli;

/// <summary>What a serial port of the guest is connected to.</summary>
/// <param name="Kind">The word before the colon.</param>
/// <param name="Path">The file, or null.</param>
/// <param name="Address">The socket's address, or null.</param>
/// <param name="Server">The peer connects, not this program.</param>
public sealed record SerialOption(string Kind, string? Path = null, EndPoint? Address = null, bool Server = false)
{
    public bool IsStdio => Kind == "stdio";

    /// <summary>Reads <c>stdio|none|pty|file:PATH|unix:PATH[,server]|tcp:[HOST]:PORT[,server]</c>.</summary>
    /// <exception cref="FormatException">Says what would be right.</exception>
    public static SerialOption Parse(string text)
    {
        const string ServerWord = ",server";
        bool server = text.EndsWith(ServerWord, StringComparison.Ordinal);
        string target = server ? text[..^ServerWord.Length] : text;
        string kind = target.Split(':')[0], rest = target.Length > kind.Length ? target[(kind.Length + 1)..] : "";
        return (kind, rest.Length != 0, server) switch
        {
            ("stdio" or "none" or "pty", false, false) when target == kind => new SerialOption(kind),
            ("file", true, false) => new SerialOption(kind, rest),
            ("unix" or "tcp", true, _) => new SerialOption(kind, Address: ListenAddress.Parse(target), Server: server),
            _ => throw new FormatException($"'{text}' is unknown; use stdio, none, pty, file:PATH, unix:PATH[,server] or tcp:[HOST]:PORT[,server]"),
        };
    }

    /// <summary>Opens the host's side; null for none, and for the user's terminal, which is somebody else's.</summary>
    /// <param name="number">1 to 4, for messages.</param>
    /// <exception cref="UserException">It cannot be opened.</exception>
    internal ICharBackend? Open(int number)
    {
        switch (Kind)
        {
            case "file":
                return new FilePort(Path!);
            case "pty":
                PeerPort port = PeerPort.Terminal(out string path);
                Output.Note($"myna: serial port {number} is {path}");
                return port;
            case "unix" or "tcp":
                return PeerPort.Socket(Address!, Server);
            default:
                return null;
        }
    }
}
