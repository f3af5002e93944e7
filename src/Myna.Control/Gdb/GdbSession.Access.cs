using System.Text;
using Myna.Cpu;
using Myna.Cpu.Debugging;

namespace Myna.Control.Gdb;

internal sealed partial class GdbSession
{
    /// <summary>Bytes of memory in one reply.</summary>
    const int MaximumRead = GdbConnection.MaximumPacket / 2 - 16;

    /// <summary>Bytes of the widest register.</summary>
    const int MaximumRegister = 32;

    readonly HashSet<ulong> _hardware = [];

    /// <summary>g and G carry the first feature's registers; gdb asks for the others one by one.</summary>
    IEnumerable<CpuRegister> CoreRegisters => Current.Registers.Where(r => r.Group == Current.Registers[0].Group);

    string ReadAll()
    {
        var text = new StringBuilder();
        foreach (CpuRegister register in CoreRegisters)
            text.Append(Value(register));
        return text.ToString();
    }

    string Value(CpuRegister register)
    {
        Span<byte> value = stackalloc byte[register.Bits / 8];
        return Current.TryReadRegister(register.Number, value) ? GdbPackets.ToHex(value) : new string('x', register.Bits / 4);
    }

    string WriteAll(string text)
    {
        _target.Settle(_thread);
        int at = 0;
        Span<byte> all = stackalloc byte[MaximumRegister];
        foreach (CpuRegister register in CoreRegisters)
        {
            int digits = register.Bits / 4;
            Span<byte> value = all[..(register.Bits / 8)];
            if (at + digits > text.Length)
                return at == 0 ? BadRequest : Ok;
            // x0 and the like keep their value whatever is written.
            if (!text.AsSpan(at, digits).Contains('x'))
            {
                if (!GdbPackets.TryFromHex(text.AsSpan(at, digits), value))
                    return BadRequest;
                Current.TryWriteRegister(register.Number, value);
            }
            at += digits;
        }
        return Ok;
    }

    CpuRegister? Register(ReadOnlySpan<char> text)
    {
        if (!GdbPackets.TryNumber(text, out ulong number))
            return null;
        foreach (CpuRegister register in Current.Registers)
        {
            if ((ulong)register.Number == number)
                return register;
        }
        return null;
    }

    string ReadOne(string text) => Register(text) is { } register ? Value(register) : BadRequest;

    string WriteOne(string text)
    {
        int equals = text.IndexOf('=');
        if (equals < 0 || Register(text.AsSpan(0, equals)) is not { } register)
            return BadRequest;
        _target.Settle(_thread);
        Span<byte> value = stackalloc byte[register.Bits / 8];
        return GdbPackets.TryFromHex(text.AsSpan(equals + 1), value) && Current.TryWriteRegister(register.Number, value) ? Ok : BadRequest;
    }

    static bool TryRange(ReadOnlySpan<char> text, out ulong address, out ulong length)
    {
        int comma = text.IndexOf(',');
        length = address = 0;
        return comma > 0 && GdbPackets.TryNumber(text[..comma], out address) && GdbPackets.TryNumber(text[(comma + 1)..], out length);
    }

    string ReadMemory(string text)
    {
        if (!TryRange(text, out ulong address, out ulong length))
            return BadRequest;
        byte[] bytes = new byte[Math.Min(length, MaximumRead)];
        if (bytes.Length == 0 || Current.ReadMemory(address, bytes))
            return GdbPackets.ToHex(bytes);
        // As much as there is, page by page.
        const ulong Page = 4096;
        int have = 0;
        while (have < bytes.Length)
        {
            int part = (int)Math.Min((ulong)(bytes.Length - have), Page - (address + (ulong)have) % Page);
            if (!Current.ReadMemory(address + (ulong)have, bytes.AsSpan(have, part)))
                break;
            have += part;
        }
        return have == 0 ? NoMemory : GdbPackets.ToHex(bytes.AsSpan(0, have));
    }

    string WriteMemory(string text, bool binary)
    {
        int colon = text.IndexOf(':');
        if (colon < 0 || !TryRange(text.AsSpan(0, colon), out ulong address, out ulong length) || length > GdbConnection.MaximumPacket)
            return BadRequest;
        byte[] bytes = new byte[length];
        ReadOnlySpan<char> data = text.AsSpan(colon + 1);
        if (binary)
        {
            if ((ulong)data.Length != length || Encoding.Latin1.GetBytes(data, bytes) != bytes.Length)
                return BadRequest;
        }
        else if (!GdbPackets.TryFromHex(data, bytes))
        {
            return BadRequest;
        }
        return length == 0 || Current.WriteMemory(address, bytes) ? Ok : NoMemory;
    }

    /// <summary>Z and z: type, address, kind or length; conditions and commands are gdb's to evaluate.</summary>
    string SetPoint(string text, bool on)
    {
        string[] fields = text.Split(';')[0].Split(',');
        if (fields.Length < 3 || !GdbPackets.TryNumber(fields[1], out ulong address) || !GdbPackets.TryNumber(fields[2], out ulong length))
            return BadRequest;
        switch (fields[0])
        {
            case "0" or "1":
                _run.SetBreakpoint(address, on);
                if (on && fields[0] == "1")
                    _hardware.Add(address);
                else
                    _hardware.Remove(address);
                return Ok;
            case "2" or "3" or "4":
                if (length == 0)
                    return BadRequest;
                _run.SetWatchpoint(address, length, fields[0] switch { "2" => WatchKind.Write, "3" => WatchKind.Read, _ => WatchKind.Access }, on);
                return Ok;
            default:
                return Unsupported;
        }
    }

    string? Query(string packet)
    {
        int colon = packet.IndexOf(':');
        string name = colon < 0 ? packet : packet[..colon], arguments = colon < 0 ? "" : packet[(colon + 1)..];
        switch (name)
        {
            case "qSupported":
                _swBreak = arguments.Contains("swbreak+", StringComparison.Ordinal);
                _hwBreak = arguments.Contains("hwbreak+", StringComparison.Ordinal);
                return $"PacketSize={GdbConnection.MaximumPacket - 16:x};QStartNoAckMode+;qXfer:features:read+;vContSupported+;swbreak+;hwbreak+"
                    + (_target.IsProgram ? ";QPassSignals+;qXfer:auxv:read+;qXfer:exec-file:read+;qXfer:siginfo:read+" : "");
            case "QStartNoAckMode":
                // The acknowledgment of this packet is already sent; gdb acknowledges this reply and none after it.
                _connection.Send(Ok);
                _connection.StopAcknowledging();
                return null;
            case "qXfer": return Transfer(arguments);
            case "qAttached": return _target.IsProgram ? "0" : "1";
            case "QPassSignals" when _target.IsProgram:
                _target.Pass(Signals(arguments));
                return Ok;
            case "qSymbol": return Ok;
            case "qC": return $"QC{ThreadId(_thread)}";
            case "qfThreadInfo": return "m" + string.Join(',', _target.Threads.Select(ThreadId));
            case "qsThreadInfo": return "l";
        }
        if (packet.StartsWith("qThreadExtraInfo,", StringComparison.Ordinal))
        {
            return FindThread(packet["qThreadExtraInfo,".Length..]) is { } thread
                ? GdbPackets.ToHex(Encoding.UTF8.GetBytes(thread.Description))
                : NoThread;
        }
        if (packet.StartsWith("qRcmd,", StringComparison.Ordinal))
            return Command(packet["qRcmd,".Length..]);
        return Unsupported;
    }

    static HashSet<int> Signals(string list)
    {
        var signals = new HashSet<int>();
        foreach (string one in list.Split(';', StringSplitOptions.RemoveEmptyEntries))
        {
            if (GdbPackets.TryNumber(one, out ulong number) && number < 256 && GdbSignals.ToLinux((int)number) is > 0 and int signal)
                signals.Add(signal);
        }
        return signals;
    }

    /// <summary>OBJECT:read:ANNEX:OFFSET,LENGTH</summary>
    string Transfer(string arguments)
    {
        string[] fields = arguments.Split(':');
        if (fields is not [_, "read", _, _])
            return Unsupported;
        if (fields[0] == "features" && fields[2] != "target.xml")
            return "E00";
        if (!TryRange(fields[3], out ulong offset, out ulong length))
            return BadRequest;
        byte[]? content = fields[0] == "features" ? Encoding.ASCII.GetBytes(Current.TargetDescription) : _target.Read(fields[0], _thread);
        if (content is null)
            return fields[0] is "auxv" or "exec-file" or "siginfo" ? "E01" : Unsupported;
        if (offset >= (ulong)content.Length)
            return "l";
        int size = (int)Math.Min(Math.Min(length, (ulong)content.Length - offset), MaximumRead);
        return ((int)offset + size == content.Length ? "l" : "m") + Encoding.Latin1.GetString(content, (int)offset, size);
    }

    /// <summary>A monitor command; its output goes back in O packets.</summary>
    string Command(string hex)
    {
        byte[] bytes = new byte[hex.Length / 2];
        if (!GdbPackets.TryFromHex(hex, bytes))
            return BadRequest;
        byte[] output = Encoding.UTF8.GetBytes(_monitor(Encoding.UTF8.GetString(bytes)));
        for (int at = 0; at < output.Length; at += MaximumRead)
            _connection.Send("O" + GdbPackets.ToHex(output.AsSpan(at, Math.Min(MaximumRead, output.Length - at))));
        return Ok;
    }
}
