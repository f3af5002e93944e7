using Myna.Cpu;
using Myna.Hardware.Memory;
using Myna.Hardware.Time;

namespace Myna.Machines;

/// <summary>How a lockstep run ended.</summary>
/// <param name="Difference">What differs, or null.</param>
/// <param name="Exit">How the guest ended its machine, or null when it did not.</param>
/// <param name="Instructions">Executed on each side, by all CPUs.</param>
public sealed record LockstepResult(string? Difference, MachineExit? Exit, ulong Instructions);

/// <summary>
/// Two equal machines, one executed by the translator, one by the interpreter instruction by instruction, on one thread
/// and with a clock that counts instructions. Stops at the first difference in a register, and compares memory now and then.
/// LIMIT: devices that work on threads of their own (disks, networks, consoles other than the UART's output) are refused,
/// for their interrupts come when they like.
/// </summary>
public sealed class LockstepMachine : IDisposable
{
    /// <summary>Guest time per instruction: 100 million a second.</summary>
    private const ulong NanosecondsPerInstruction = 10;

    /// <summary>Instructions between two comparisons of memory.</summary>
    private const ulong MemoryInterval = 100_000_000;

    private readonly ManualClock[] _clocks = [new(), new()];
    private readonly Machine _reference;
    private readonly Machine _subject;
    private readonly ILockstep[] _cpus;

    /// <exception cref="MachineException">Something in the options cannot be had, or works at its own pace.</exception>
    public LockstepMachine(MachineOptions options)
    {
        if (options.Devices.FirstOrDefault(d => d is not RngDevice) is { } device)
            throw new MachineException($"a lockstep run needs a machine that does the same twice; leave out the {device.GetType().Name}");
        MachineOptions common = options with
        {
            CountInstructions = true,
            NoReboot = true,
            WallClock = options.WallClock ?? (ulong)(DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100,
        };
        _reference = Machine.Create(common with { Accel = Accel.Interp, Clock = _clocks[0], Random = Numbers() });
        try
        {
            _subject = Machine.Create(common with { Accel = Accel.Jit, Clock = _clocks[1], Random = Numbers(), Console = null, Signature = null });
        }
        catch
        {
            _reference.Dispose();
            throw;
        }
        _cpus = [.. _reference.Cpus.Zip(_subject.Cpus, Pair)];
    }

    private static ILockstep Pair(VirtualCpu reference, VirtualCpu subject)
    {
        reference.BlocksWhileWaiting = subject.BlocksWhileWaiting = false;
        return reference is EmulatedCpu a && subject is EmulatedCpu b
            ? new Lockstep(a, b)
            : throw new InvalidOperationException($"no lockstep for {reference.GetType().Name}");
    }

    // The same for both machines.
    private static Action<byte[]> Numbers()
    {
        var random = new Random(1);
        return random.NextBytes;
    }

    /// <summary>Instructions executed so far, on each side.</summary>
    public ulong Instructions => _cpus.Aggregate(0UL, static (sum, cpu) => sum + cpu.Instructions);

    /// <summary>Runs until the guest ends, both wait for ever, something differs, or so many instructions were executed.</summary>
    public LockstepResult Run(ulong maxInstructions = ulong.MaxValue, CancellationToken cancellation = default)
    {
        ulong done = Instructions, compared = done;
        string? difference = null;
        while (difference is null && !cancellation.IsCancellationRequested && done < maxInstructions)
        {
            foreach (ILockstep cpu in _cpus)
            {
                if ((difference = cpu.Step()) is not null)
                    return new LockstepResult(difference, null, Instructions);
                if (_reference.IsEnding || _subject.IsEnding)
                    return End(cancellation);
            }
            ulong now = Instructions;
            if (!Advance(now - done))
                break;
            done = now;
            if (done - compared >= MemoryInterval)
            {
                compared = done;
                difference = CompareMemory();
            }
        }
        return new LockstepResult(difference ?? CompareMemory(), null, Instructions);
    }

    private LockstepResult End(CancellationToken cancellation)
    {
        if (!_reference.IsEnding || !_subject.IsEnding)
            return new LockstepResult($"only the {(_reference.IsEnding ? "reference" : "subject")} ends, after {Instructions} instructions", null, Instructions);
        MachineExit exit = _reference.WaitForExit(cancellation), other = _subject.WaitForExit(cancellation);
        return new LockstepResult(exit == other ? CompareMemory() : $"the reference ended with {exit}, the subject with {other}", exit, Instructions);
    }

    /// <summary>Lets time pass, while all wait as far as the next timer.</summary>
    /// <returns>False when nothing will ever happen again.</returns>
    private bool Advance(ulong instructions)
    {
        ulong target = _clocks[0].Now + instructions * NanosecondsPerInstruction / (ulong)_cpus.Length;
        if (Array.TrueForAll(_cpus, static c => c.Waiting))
        {
            target = Math.Min(_clocks[0].NextDeadline, _clocks[1].NextDeadline);
            if (target == ulong.MaxValue)
                return false;
        }
        foreach (ManualClock clock in _clocks)
            clock.AdvanceTo(target);
        return true;
    }

    private string? CompareMemory()
    {
        const int Chunk = 1 << 20;
        foreach ((Region a, Region b) in _reference.Memory.Regions.Zip(_subject.Memory.Regions))
        {
            if (a.Ram is null || b.Ram is null)
                continue;
            for (ulong offset = 0; offset < a.Size; offset += Chunk)
            {
                int length = (int)Math.Min(Chunk, a.Size - offset);
                ReadOnlySpan<byte> expected = a.Ram.Get(a.RamOffset + offset, length), actual = b.Ram.Get(b.RamOffset + offset, length);
                int same = expected.CommonPrefixLength(actual);
                if (same == length)
                    continue;
                same &= ~7;
                return $"memory differs at {a.Start + offset + (ulong)same:x}: the reference has {BitConverter.ToUInt64(expected[same..]):x16}, the subject {BitConverter.ToUInt64(actual[same..]):x16}, after {Instructions} instructions";
            }
        }
        return null;
    }

    public void Dispose()
    {
        _reference.Dispose();
        _subject.Dispose();
    }
}
