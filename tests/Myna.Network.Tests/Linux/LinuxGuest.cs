using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Myna.Hardware.Backends;
using Myna.Hardware.Time;

namespace Myna.Network.Tests.Linux;

/// <summary>A fact that needs a tap device in a network namespace of its own.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class LinuxFactAttribute : FactAttribute
{
    static readonly string? Reason = LinuxGuest.WhyNot();

    public LinuxFactAttribute() => Skip = Reason;
}

/// <summary>
/// The host's own TCP/IP stack as the guest: a tap device inside a network namespace, whose other end is the network under
/// test. Programs run in it by <see cref="Run"/>.
/// </summary>
public sealed class LinuxGuest : INetFrontend, IDisposable
{
    static int s_next;

    readonly string _name = $"myna{Environment.ProcessId % 10000}x{Interlocked.Increment(ref s_next)}";
    readonly SafeFileHandle _tap;
    readonly RealClock _clock = new();
    readonly Thread _pump;
    readonly Random _loss = new(12345);
    readonly double _lossRate;
    readonly byte[] _out = new byte[65536];
    volatile bool _stop;

    public LinuxGuest(UserNetworkOptions options, double lossRate = 0, bool configure = true)
    {
        _lossRate = lossRate;
        Network = new UserNetwork(options, _clock, new Random(1));
        Shell($"ip netns add {_name}");
        _tap = OpenTap(_name);
        Shell($"ip link set {_name} netns {_name}");
        Run("ip link set lo up");
        if (configure)
        {
            Run($"ip addr add {options.DhcpStart}/{options.PrefixLength} dev {_name}");
            Run($"ip link set {_name} up");
            Run($"ip route add default via {options.Gateway}");
        }
        else
        {
            Run($"ip link set {_name} up");
        }
        Network.Attach(this);
        _pump = new Thread(Pump) { IsBackground = true };
        _pump.Start();
    }

    public UserNetwork Network { get; }

    public string Interface => _name;

    /// <summary>Runs a shell command in the guest and returns what it printed; fails on a status other than 0.</summary>
    public string Run(string command) => Shell($"ip netns exec {_name} bash -c {Quote(command)}");

    public bool Receive(ReadOnlySpan<byte> frame)
    {
        lock (_loss)
        {
            if (_lossRate > 0 && _loss.NextDouble() < _lossRate)
                return true;
        }
        frame.CopyTo(_out);
        _ = write(_tap.DangerousGetHandle(), _out, frame.Length);
        return true;
    }

    void Pump()
    {
        byte[] buffer = new byte[65536];
        while (!_stop)
        {
            int length = read(_tap.DangerousGetHandle(), buffer, buffer.Length);
            if (length <= 0)
                return;
            bool lose;
            lock (_loss)
                lose = _lossRate > 0 && _loss.NextDouble() < _lossRate;
            if (!lose)
                Network.Send(buffer.AsSpan(0, length));
        }
    }

    public void Dispose()
    {
        _stop = true;
        // The device vanishes with its namespace, which ends the pump's read.
        try
        {
            Run($"ip link del {_name}");
        }
        finally
        {
            Shell($"ip netns del {_name}");
            _pump.Join(2000);
            Network.Dispose();
            _clock.Dispose();
            _tap.Dispose();
        }
    }

    public static string? WhyNot()
    {
        if (!OperatingSystem.IsLinux() || !File.Exists("/dev/net/tun"))
            return "no /dev/net/tun";
        string name = $"mynaprobe{Environment.ProcessId % 10000}";
        try
        {
            Shell($"ip netns add {name}");
            Shell($"ip netns del {name}");
            using SafeFileHandle tap = OpenTap($"mynap{Environment.ProcessId % 10000}");
            Shell("command -v python3");
            return null;
        }
        catch (Exception e) when (e is InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            return $"needs root, ip and python3: {e.Message}";
        }
    }

    static SafeFileHandle OpenTap(string name)
    {
        SafeFileHandle handle = File.OpenHandle("/dev/net/tun", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        // struct ifreq: the name in 16 bytes, then the flags IFF_TAP | IFF_NO_PI. TUNSETIFF is 0x400454CA.
        byte[] request = new byte[40];
        Encoding.ASCII.GetBytes(name).CopyTo(request, 0);
        request[16] = 0x02;
        request[17] = 0x10;
        if (ioctl(handle.DangerousGetHandle(), 0x400454CA, request) < 0)
            throw new IOException("TUNSETIFF failed");
        return handle;
    }

    static string Quote(string text) => "'" + text.Replace("'", "'\\''", StringComparison.Ordinal) + "'";

    public static string Shell(string command)
    {
        var info = new ProcessStartInfo("/bin/bash") { RedirectStandardOutput = true, RedirectStandardError = true };
        info.ArgumentList.Add("-c");
        info.ArgumentList.Add(command);
        using Process process = Process.Start(info)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{command}: {process.ExitCode}: {output}{errors.Result}");
    }

    [DllImport("libc")]
    static extern int ioctl(nint fd, ulong request, byte[] argument);

    [DllImport("libc")]
    static extern int write(nint fd, byte[] buffer, nint count);

    [DllImport("libc")]
    static extern int read(nint fd, byte[] buffer, nint count);
}
