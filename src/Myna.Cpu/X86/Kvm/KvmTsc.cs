namespace Myna.Cpu.X86.Kvm;

/// <summary>
/// Keeps the time stamp counters of a machine's CPUs exactly as far apart as the guest has them: the kernel knows each as an offset from the host's
/// counter, while readings of the counters themselves differ by the time that they take, and the kernel takes a counter that is written for
/// one that is to be like another when they are less than a second apart.
/// </summary>
public sealed class KvmTsc
{
    /// <summary>How long one reading stands for all CPUs, in nanoseconds; the host's counter and the machine's clock hardly run apart meanwhile.</summary>
    public const ulong Fresh = 10_000_000;

    private readonly Lock _lock = new();
    private bool _known;
    private ulong _at, _kernel, _clock;

    /// <param name="kernel">A CPU's offset in the kernel.</param>
    /// <param name="read">Its offset from the machine's clock by a reading at <paramref name="now"/>.</param>
    /// <returns>Its offset from the machine's clock.</returns>
    public ulong Map(ulong kernel, ulong read, ulong now)
    {
        lock (_lock)
        {
            if (!_known || now - _at > Fresh)
                (_known, _at, _kernel, _clock) = (true, now, kernel, read);
            return _clock + (kernel - _kernel);
        }
    }

    /// <summary>The machine's clock is about to stand still; the host's counter is not.</summary>
    public void Forget()
    {
        lock (_lock)
            _known = false;
    }
}
