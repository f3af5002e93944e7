using Myna.Hardware.Time;
using Myna.Host.Kvm;

namespace Myna.Cpu.X86.Kvm;

/// <summary>The kernel's kvmclock and the machine's <see cref="PvClock"/>: whichever is not in use follows the other.</summary>
/// <param name="clock">The machine's.</param>
public sealed class KvmClock(Clock clock, PvClock model)
{
    private readonly Lock _lock = new();
    private volatile bool _inKernel;

    /// <summary>How often the machine stood still.</summary>
    internal int Stands { get; private set; }

    /// <returns><see cref="Stands"/>.</returns>
    internal int HandOver(KvmVm vm)
    {
        if (_inKernel)
            return Stands;
        lock (_lock)
        {
            if (!_inKernel)
                vm.Clock = new KvmClockData { Clock = model.At(clock.Now) };
            _inKernel = true;
            return Stands;
        }
    }

    internal void TakeBack(KvmVm vm)
    {
        lock (_lock)
        {
            if (!_inKernel)
                return;
            model.Set(vm.Clock.Clock, clock.Now);
            _inKernel = false;
            Stands++;
        }
    }
}
