using System.Diagnostics;
using Myna.Hardware.Time;

namespace Myna.Linux.Threads;

/// <summary>Time for the counters of user programs' CPUs; no timer of theirs ever fires.</summary>
internal sealed class UserClock : Clock
{
    public override ulong Now => (ulong)((UInt128)(ulong)Stopwatch.GetTimestamp() * 1_000_000_000 / (ulong)Stopwatch.Frequency);

    public override ClockTimer CreateTimer(Action callback) => new Never();

    private sealed class Never : ClockTimer
    {
        public override void Arm(ulong deadline) { }
        public override void Cancel() { }
        public override void Dispose() { }
    }
}
