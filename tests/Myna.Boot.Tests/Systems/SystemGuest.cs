using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Myna.Control.Tests.Rfb;

namespace Myna.Boot.Tests.Systems;

/// <summary>A machine with a screen, which is looked at and typed at as a VNC client does, and a serial port.</summary>
internal sealed class SystemGuest : IDisposable
{
    private const uint Return = 0xff0d, Shift = 0xffe1, Control = 0xffe3;

    private readonly Process _process;
    private readonly TextPicture _reader;
    private readonly StringBuilder _serial = new();
    private readonly Stopwatch _time = Stopwatch.StartNew();
    private readonly TimeSpan _limit;
    private readonly RfbClient _vnc;
    private int _from;

    /// <param name="limit">For all that the test waits.</param>
    public SystemGuest(TextPicture reader, TimeSpan limit, params string[] arguments)
    {
        (_reader, _limit) = (reader, limit);
        int port;
        using (var probe = new TcpListener(IPAddress.Loopback, 0))
        {
            probe.Start();
            port = ((IPEndPoint)probe.LocalEndpoint).Port;
        }
        _process = MynaProgram.Start(["run", "--arch", "x86_64", "--display", $"vnc=127.0.0.1:{port}", .. arguments]);
        Listen(_process.StandardOutput);
        Listen(_process.StandardError);
        while (true)
        {
            try
            {
                _vnc = new RfbClient(new IPEndPoint(IPAddress.Loopback, port));
                break;
            }
            catch (SocketException)
            {
                Assert.True(!_process.HasExited && _time.Elapsed < _limit, "there is no screen\n" + Serial);
                Thread.Sleep(100);
            }
        }
        Assert.Equal(0, _vnc.Handshake());
        _vnc.SetEncodings(RfbClient.Zrle, RfbClient.DesktopSize);
    }

    /// <summary>Its exit status, once it has ended.</summary>
    public int Status
    {
        get
        {
            Assert.True(_process.WaitForExit(_limit - _time.Elapsed), "the machine has not ended\n" + Serial);
            return _process.ExitCode;
        }
    }

    /// <summary>What the serial port has said so far.</summary>
    public string Serial
    {
        get
        {
            lock (_serial)
                return _serial.ToString();
        }
    }

    /// <summary>The characters on the screen.</summary>
    public string Screen
    {
        get
        {
            _vnc.Update(incremental: false);
            return _reader.Read(_vnc.Pixels, _vnc.Width, _vnc.Height);
        }
    }

    /// <summary>Looks at the screen until it is no longer the PC's 80x25 characters.</summary>
    public SystemGuest LeavesTextMode() => Until(() =>
    {
        _vnc.Update(incremental: false);
        return (_vnc.Width, _vnc.Height) != (720, 400);
    }, () => "the screen stays in text mode\n" + Serial);

    /// <summary>Looks at the screen until a text stands there.</summary>
    /// <param name="pattern">A regular expression.</param>
    public SystemGuest Sees(string pattern)
    {
        string screen = "";
        return Until(() => Regex.IsMatch(screen = Screen, pattern), () => $"\"{pattern}\" does not come; the screen:\n{screen}\n{Serial}");
    }

    /// <summary>Looks at the screen until a text has gone.</summary>
    public SystemGuest Loses(string text)
    {
        string screen = "";
        return Until(() => !(screen = Screen).Contains(text, StringComparison.Ordinal), () => $"\"{text}\" does not go; the screen:\n{screen}\n{Serial}");
    }

    /// <summary>Waits for a text on the serial port that was not there at the previous call.</summary>
    public SystemGuest Reads(string pattern)
    {
        var wanted = new Regex(pattern);
        return Until(() =>
        {
            string text = Serial;
            Match match = wanted.Match(text[_from..]);
            if (match.Success)
                _from += match.Index + match.Length;
            return match.Success;
        }, () => $"\"{pattern}\" does not come; the serial port:\n{Serial}");
    }

    /// <summary>Types at the screen; a line's end is the Return key.</summary>
    public SystemGuest Types(string text)
    {
        foreach (char c in text)
        {
            bool shifted = char.IsAsciiLetterUpper(c) || "~!@#$%^&*()_+{}|:\"<>?".Contains(c, StringComparison.Ordinal);
            if (shifted)
                Key(Shift, down: true);
            Press(c == '\n' ? Return : c);
            if (shifted)
                Key(Shift, down: false);
        }
        return this;
    }

    /// <summary>Types the same at the screen, again and again, until the serial port answers.</summary>
    public SystemGuest TypesUntil(string text, string pattern)
    {
        Stopwatch? since = null;
        return Until(() =>
        {
            if (since is not { Elapsed.TotalSeconds: < 10 })
            {
                Types(text);
                since = Stopwatch.StartNew();
            }
            return Regex.IsMatch(Serial[_from..], pattern);
        }, () => $"\"{pattern}\" does not come; the serial port:\n{Serial}");
    }

    /// <param name="keysym">X11's name of a key.</param>
    public SystemGuest Press(uint keysym)
    {
        Key(keysym, down: true);
        // Firmware looks at keyboards now and then.
        Thread.Sleep(60);
        Key(keysym, down: false);
        Thread.Sleep(60);
        return this;
    }

    public SystemGuest PressControl(char key)
    {
        Key(Control, down: true);
        Press(key);
        Key(Control, down: false);
        return this;
    }

    /// <summary>Types at the serial port.</summary>
    public SystemGuest Writes(string text)
    {
        _process.StandardInput.Write(text);
        _process.StandardInput.Flush();
        return this;
    }

    public void Dispose()
    {
        _vnc?.Dispose();
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
    }

    private void Key(uint keysym, bool down) => _vnc.Send(4, (byte)(down ? 1 : 0), 0, 0, (byte)(keysym >> 24), (byte)(keysym >> 16), (byte)(keysym >> 8), (byte)keysym);

    private SystemGuest Until(Func<bool> reached, Func<string> complaint)
    {
        while (!reached())
        {
            Assert.False(_process.HasExited, "the machine has ended\n" + Serial);
            Assert.True(_time.Elapsed < _limit, complaint());
            Thread.Sleep(250);
        }
        return this;
    }

    private void Listen(StreamReader from) => new Thread(() =>
    {
        char[] buffer = new char[4096];
        while (from.Read(buffer) is var n and > 0)
        {
            lock (_serial)
                _serial.Append(buffer.AsSpan(0, n));
        }
    })
    { IsBackground = true }.Start();
}
