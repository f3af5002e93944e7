using System.Globalization;
using System.Text;
using Myna.Control.Screens;
using Myna.Cpu;
using Myna.Hardware.Backends;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Screens;
using Myna.Hardware.State;
using Myna.Machines;

namespace Myna.Control.Monitor;

/// <summary>
/// Shows and drives a machine by lines of text; the same for the prompt (<see cref="MonitorServer"/>), for the terminal's
/// menu and for gdb's <c>monitor</c>. Not thread-safe: one for each user.
/// </summary>
public sealed partial class MachineMonitor
{
    sealed record Command(string Name, string Arguments, string Help, Func<string[], string> Execute);

    readonly Machine _machine;
    readonly Command[] _commands;
    readonly Command[] _infos;
    int _cpu;

    public MachineMonitor(Machine machine)
    {
        _machine = machine;
        _infos =
        [
            new("registers", "[all | NAME...]", "the selected CPU's registers", Registers),
            new("cpus", "", "all CPUs with their program counters", _ => Cpus()),
            new("mem", "", "what the selected CPU's page tables map", _ => Mappings()),
            new("mtree", "", "the map of physical addresses", _ => MemoryTree()),
            new("drives", "", "the drives whose medium can be exchanged", _ => string.Concat(_machine.RemovableDrives.Select(d => d.Name + "\n"))),
            new("usb", "", "the USB devices by the names that device_del takes", _ => Usb()),
            new("devices", "[DEVICE...]", "the devices, or the state of some: a name or its beginning", Devices),
            new("qtree", "", "every device with its state", _ => Devices([""])),
            new("engine", "", "counters of the CPUs, their engines and the back ends", _ => Engine()),
            new("balloon", "", "how much memory the guest has, and what it says about it", _ => Balloon()),
            new("status", "", "whether the machine runs", _ => Status()),
        ];
        _commands =
        [
            new("help", "[COMMAND]", "shows this", Help),
            new("info", "WHAT", "shows something; 'info' alone says what", Info),
            new("cpu", "N", "selects the CPU that other commands show", SelectCpu),
            new("stop", "", "pauses the machine", _ => Do(_machine.Pause)),
            new("cont", "", "lets it run on", _ => Do(_machine.State == MachineState.Created ? _machine.Start : _machine.Resume)),
            new("reset", "", "power-on state again", _ => Do(_machine.Reset)),
            new("system_reset", "", "the same, by QEMU's name", _ => Do(_machine.Reset)),
            new("system_powerdown", "", "presses the power button: the guest may switch itself off", _ => PowerButton()),
            new("quit", "", "ends the machine", _ => Do(_machine.PowerOff)),
            new("balloon", "SIZE", "asks the guest to make do with so much memory, in MiB or with a unit: balloon 512, balloon 1G", SetBalloon),
            new("change", "[-f] DRIVE FILE [readonly]", "puts another medium into a drive (info drives); with -f whatever the guest says", Change),
            new("eject", "[-f] DRIVE", "takes the medium out of a drive", Eject),
            new("device_add", "usb-KIND", "plugs a USB device in: usb-keyboard, usb-tablet, usb-storage,file=FILE[,readonly]; or a name of 'info usb' again", AddDevice),
            new("device_del", "NAME", "pulls a USB device out", RemoveDevice),
            new("screenshot", "FILE", "writes what the screen shows to a PNG file", Screenshot),
            new("screendump", "FILE", "the same, by QEMU's name", Screenshot),
            new("sendkey", "KEYS", "presses keys together by their scan codes of set 1, in hexadecimal: sendkey 1d-38-e053", SendKey),
            new("x", "[/FORMAT] ADDRESS", "memory at a virtual address: x/8xg, x/20i, x/4db", a => Examine(a, physical: false)),
            new("xp", "[/FORMAT] ADDRESS", "memory at a physical address", a => Examine(a, physical: true)),
            new("print", "EXPRESSION", "the value of a number, $register or symbol, with + and -", Print),
        ];
    }

    VirtualCpu Cpu => _machine.Cpus[_cpu];

    /// <summary>Carries out one line.</summary>
    /// <returns>The output, each line ended by a line feed; an error is output too.</returns>
    public string Execute(string line)
    {
        string[] words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (words.Length == 0)
            return "";
        // x/8xg is one word.
        int slash = words[0].IndexOf('/');
        if (slash > 0)
            words = [words[0][..slash], words[0][slash..], .. words.AsSpan(1)];
        try
        {
            return Find(_commands, words[0], "command").Execute(words[1..]);
        }
        catch (MonitorException e)
        {
            return e.Message + "\n";
        }
    }

    // A name, or a beginning that only one name has.
    static Command Find(Command[] commands, string name, string what)
    {
        Command[] found = Array.FindAll(commands, c => c.Name == name);
        if (found.Length == 0)
            found = Array.FindAll(commands, c => c.Name.StartsWith(name, StringComparison.Ordinal));
        return found.Length switch
        {
            1 => found[0],
            0 => throw new MonitorException($"unknown {what} '{name}'; try help"),
            _ => throw new MonitorException($"'{name}' may be {string.Join(" or ", found.Select(c => c.Name))}"),
        };
    }

    string Do(Action action)
    {
        if (_machine.Ended.IsCompleted)
            throw new MonitorException("the machine has ended");
        action();
        return "";
    }

    string PowerButton() => Do(() =>
    {
        if (!_machine.PressPowerButton())
            throw new MonitorException($"the board {_machine.Options.Board} has no power button");
    });

    string Change(string[] arguments)
    {
        (RemovableDrive drive, bool force, string[] rest) = Drive(arguments);
        if (rest.Length is not (1 or 2) || (rest.Length == 2 && rest[1] is not ("readonly" or "ro")))
            throw new MonitorException("change needs a drive and a file, as in change cd0 disc.iso, and perhaps readonly");
        IBlockBackend medium;
        try
        {
            medium = MediumFile.Open(rest[0], drive, readOnly: rest.Length == 2);
        }
        catch (MachineException e)
        {
            throw new MonitorException(e.Message);
        }
        try
        {
            if (drive.Exchange(medium, force))
                return "";
        }
        catch (MachineException e)
        {
            (medium as IDisposable)?.Dispose();
            throw new MonitorException(e.Message);
        }
        (medium as IDisposable)?.Dispose();
        throw new MonitorException($"the guest has locked {drive.Name}; it has been told, or change it with -f");
    }

    string Eject(string[] arguments)
    {
        (RemovableDrive drive, bool force, string[] rest) = Drive(arguments);
        if (rest.Length != 0)
            throw new MonitorException("eject needs a drive, as in eject cd0");
        return drive.Exchange(null, force) ? "" : throw new MonitorException($"the guest has locked {drive.Name}; it has been told, or eject it with -f");
    }

    (RemovableDrive Drive, bool Force, string[] Others) Drive(string[] arguments)
    {
        bool force = arguments is ["-f", ..];
        string[] rest = force ? arguments[1..] : arguments;
        string known = _machine.RemovableDrives.Count == 0 ? "the machine has none" : string.Join(", ", _machine.RemovableDrives.Select(d => d.Name));
        RemovableDrive? drive = rest.Length == 0 ? null : _machine.RemovableDrives.FirstOrDefault(d => d.Name == rest[0]);
        return drive is null ? throw new MonitorException($"name a drive: {known}") : (drive, force, rest[1..]);
    }

    UsbPorts Ports => _machine.Usb ?? throw new MonitorException("the machine has no USB; start it with --usb");

    string Usb() => string.Concat(Ports.Devices.Select(d => $"{d.Name,-8} {d.Kind}{(d.Attached ? "" : " (pulled out)")}\n"));

    string AddDevice(string[] arguments)
    {
        const string File = "file=";
        if (arguments.Length != 1)
            throw new MonitorException("device_add needs a device, as in device_add usb-keyboard");
        string[] parts = arguments[0].Split(',');
        try
        {
            switch (parts)
            {
                case ["usb-keyboard" or "usb-kbd"]:
                    return Ports.Add(UsbKind.Keyboard) + "\n";
                case ["usb-tablet"]:
                    return Ports.Add(UsbKind.Tablet) + "\n";
                case ["usb-storage", { } file, .. string[] rest] when file.StartsWith(File, StringComparison.Ordinal) && rest is [] or ["readonly" or "ro"]:
                    return Ports.Add(MediumFile.Open(file[File.Length..], readOnly: rest.Length != 0)) + "\n";
                case [{ } name] when Ports.Devices.Any(d => d.Name == name):
                    return Ports.PlugAgain(name) ? "" : throw new MonitorException($"{name} is plugged in");
                default:
                    throw new MonitorException($"'{arguments[0]}' is unknown; use usb-keyboard, usb-tablet, usb-storage,file=FILE[,readonly], or a name of 'info usb'");
            }
        }
        catch (MachineException e)
        {
            throw new MonitorException(e.Message);
        }
    }

    string RemoveDevice(string[] arguments)
        => arguments.Length == 1 && Ports.Remove(arguments[0]) ? "" : throw new MonitorException("device_del needs the name of a device that is plugged in; 'info usb' lists them");

    string Screenshot(string[] arguments)
    {
        if (arguments.Length != 1)
            throw new MonitorException("screenshot needs the name of a file");
        if (_machine.Screen is not { } screen)
            throw new MonitorException("the machine has no screen; give it one with --display");
        var surface = new Surface();
        screen.Draw(surface);
        try
        {
            using FileStream file = File.Create(arguments[0]);
            PngWriter.Write(file, surface);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MonitorException($"cannot write {arguments[0]}: {e.Message}");
        }
        return $"{surface.Width}x{surface.Height}\n";
    }

    string SendKey(string[] arguments)
    {
        if (arguments.Length != 1)
            throw new MonitorException("sendkey needs scan codes, as in sendkey 1d-38-e053");
        var keys = new List<int>();
        foreach (string word in arguments[0].Split('-'))
        {
            if (!int.TryParse(word, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int key) || key is not (> 0 and < 0x80 or > 0xe000 and < 0xe080))
                throw new MonitorException($"'{word}' is no scan code; use 1 to 7f, or e001 to e07f");
            keys.Add(key);
        }
        foreach (int key in keys)
            _machine.Input.Key(key, true);
        keys.Reverse();
        foreach (int key in keys)
            _machine.Input.Key(key, false);
        return "";
    }

    string Help(string[] arguments)
    {
        IEnumerable<Command> commands = arguments.Length == 0 ? _commands : [Find(_commands, arguments[0], "command")];
        var text = new StringBuilder();
        foreach (Command c in commands)
            text.Append(CultureInfo.InvariantCulture, $"{$"{c.Name} {c.Arguments}",-26} {c.Help}\n");
        if (arguments.Length != 0 && commands.First().Name == "info")
            text.Append(InfoList());
        return text.ToString();
    }

    string Info(string[] arguments) =>
        arguments.Length == 0 ? InfoList() : Find(_infos, arguments[0], "topic").Execute(arguments[1..]);

    string InfoList() => string.Concat(_infos.Select(c => $"info {$"{c.Name} {c.Arguments}",-26} {c.Help}\n"));

    string SelectCpu(string[] arguments)
    {
        if (arguments.Length != 1 || !int.TryParse(arguments[0], NumberStyles.None, CultureInfo.InvariantCulture, out int index)
            || index >= _machine.Cpus.Count)
            throw new MonitorException($"cpu needs a number from 0 to {_machine.Cpus.Count - 1}");
        _cpu = index;
        return "";
    }

    /// <summary>Does something with the machine standing still.</summary>
    T Paused<T>(Func<T> action)
    {
        bool running = _machine.State == MachineState.Running;
        if (running)
            _machine.Pause();
        try
        {
            return action();
        }
        finally
        {
            if (running)
                _machine.Resume();
        }
    }

    string Registers(string[] names) => Paused(() =>
    {
        IReadOnlyList<CpuRegister> all = Cpu.Registers;
        IEnumerable<CpuRegister> chosen = names switch
        {
            [] => all.Where(r => r.Group == all[0].Group || r.Number == all[^1].Number),
            ["all"] or ["-a"] => all,
            _ => names.Select(n => all.FirstOrDefault(r => r.Name == n) ?? throw new MonitorException($"CPU {_cpu} has no register '{n}'")),
        };
        var text = new StringBuilder();
        Span<byte> all32 = stackalloc byte[32];
        int column = 0;
        foreach (CpuRegister r in chosen)
        {
            Span<byte> bytes = all32[..(r.Bits / 8)];
            string value = Cpu.TryReadRegister(r.Number, bytes) ? Digits(bytes) : "unavailable";
            // A wide register has a line to itself.
            bool wide = r.Bits > 64;
            if (wide && column % 4 != 0)
                text.Append('\n');
            column = wide ? 0 : column + 1;
            text.Append(CultureInfo.InvariantCulture, $"{r.Name,-14} {value,-16}").Append(column % 4 == 0 ? "\n" : "  ");
        }
        return text.ToString().TrimEnd() + "\n";
    });

    /// <summary>A little-endian value with the highest digit first, at least 16 of them.</summary>
    static string Digits(Span<byte> value)
    {
        value.Reverse();
        return Convert.ToHexStringLower(value).PadLeft(16, '0');
    }

    string Cpus() => Paused(() => string.Concat(_machine.Cpus.Select(c => $"{(c.Index == _cpu ? '*' : ' ')} CPU {c.Index}: pc {c.Pc:x16}\n")));

    string Mappings() => Paused(() =>
    {
        var text = new StringBuilder();
        foreach (Mapping m in Cpu.Mappings())
        {
            text.Append(CultureInfo.InvariantCulture, $"{m.Start:x16}-{m.Start + m.Size - 1:x16} -> {m.Physical:x16} {Size(m.Size),8} ")
                .Append(m.Read ? 'r' : '-').Append(m.Write ? 'w' : '-').Append(m.Execute ? 'x' : '-').Append(m.User ? 'u' : '-').Append('\n');
        }
        return text.Length == 0 ? "translation is off, or nothing is mapped\n" : text.ToString();
    });

    static string Size(ulong bytes) => bytes switch
    {
        >= 1 << 30 when bytes % (1 << 30) == 0 => $"{bytes >> 30} GiB",
        >= 1 << 20 when bytes % (1 << 20) == 0 => $"{bytes >> 20} MiB",
        >= 1 << 10 when bytes % (1 << 10) == 0 => $"{bytes >> 10} KiB",
        _ => $"{bytes} B",
    };

    string MemoryTree() => string.Concat(_machine.Memory.Regions.Select(
        r => $"{r.Start:x16}-{r.Last:x16} {Size(r.Size),8} {(r.Ram is null ? "device" : r.Ram.ReadOnly ? "rom   " : "ram   ")} {r.Name}\n"));

    string Devices(string[] names)
    {
        if (names.Length == 0)
            return string.Concat(_machine.Devices.Select(d => $"{d.Name,-28} {d.State.StateName}\n"));
        return Paused(() =>
        {
            var text = new StringBuilder();
            foreach (string name in names)
            {
                BoardDevice[] found = [.. _machine.Devices.Where(d => d.Name.StartsWith(name, StringComparison.Ordinal))];
                if (found.Length == 0)
                    throw new MonitorException($"no device's name begins with '{name}'; 'info devices' lists them");
                foreach (BoardDevice device in found)
                    text.Append(device.Name).Append('\n').Append(StateDump.Format(StateWriter.Describe(device.State)));
            }
            return text.ToString();
        });
    }

    string Engine() => Paused(() =>
    {
        var text = new StringBuilder();
        foreach (VirtualCpu cpu in _machine.Cpus)
            Append($"CPU {cpu.Index}", cpu.Counters);
        foreach (DeviceOptions device in _machine.Options.Devices)
        {
            if (device.Peer is ICounterSource source)
                Append(device.Peer.GetType().Name, source.Counters);
        }
        return text.ToString();

        void Append(string title, IEnumerable<(string Name, ulong Value)> counters)
        {
            text.Append(title).Append('\n');
            foreach ((string name, ulong value) in counters)
                text.Append(CultureInfo.InvariantCulture, $"  {name,-28} {value,20}\n");
        }
    });

    string Status() => _machine.Ended.IsCompleted
        ? $"ended: {_machine.Ended.Result.Reason}, status {_machine.Ended.Result.Status}\n"
        : $"{_machine.State.ToString().ToLowerInvariant()}\n";

    string Examine(string[] arguments, bool physical)
    {
        string format = "";
        if (arguments.Length != 0 && arguments[0].StartsWith('/'))
        {
            format = arguments[0][1..];
            arguments = arguments[1..];
        }
        if (arguments.Length == 0)
            throw new MonitorException("an address is missing, as in x/8xg 0x80000000");
        return Paused(() =>
        {
            ulong address = Evaluate(string.Concat(arguments));
            return physical
                ? MemoryDump.Format(format, address, _machine.Memory.Read, null)
                : MemoryDump.Format(format, address, Cpu.ReadMemory, Cpu);
        });
    }

    string Print(string[] arguments)
    {
        if (arguments.Length == 0)
            throw new MonitorException("an expression is missing, as in print $sp+16");
        ulong value = Paused(() => Evaluate(string.Concat(arguments)));
        return $"0x{value:x} ({(long)value})\n";
    }

    /// <summary>Numbers, $registers and symbols of the kernel, joined by + and -.</summary>
    ulong Evaluate(string text)
    {
        ulong total = 0;
        int at = 0;
        bool minus = false;
        while (true)
        {
            int end = text.AsSpan(at).IndexOfAny('+', '-');
            string term = end < 0 ? text[at..] : text[at..(at + end)];
            ulong value = Term(term.Trim());
            total = minus ? total - value : total + value;
            if (end < 0)
                return total;
            minus = text[at + end] == '-';
            at += end + 1;
        }
    }

    ulong Term(string term)
    {
        if (term.StartsWith('$'))
        {
            CpuRegister? register = Cpu.Registers.FirstOrDefault(r => r.Name == term[1..]);
            return register is not null && Cpu.TryReadRegister(register.Number, out ulong r)
                ? r
                : throw new MonitorException($"CPU {_cpu} has no register '{term[1..]}'");
        }
        if (_machine.Symbols.TryGetValue(term, out ulong symbol))
            return symbol;
        bool hex = term.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        return ulong.TryParse(hex ? term.AsSpan(2) : term, hex ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)
            ? value
            : throw new MonitorException($"'{term}' is not a number, a $register or a symbol");
    }
}
