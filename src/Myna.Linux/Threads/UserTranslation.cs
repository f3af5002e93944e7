using Myna.Cpu.Engines;
using Myna.Cpu.RiscV;
using Myna.Cpu.X86;
using Myna.Jit.User;
using Myna.Linux.Abis;
using Myna.Linux.Loading;

namespace Myna.Linux.Threads;

/// <summary>Makes the CPUs of a process's threads: one translator and one memory for all.</summary>
public sealed class UserTranslation
{
    private readonly LinuxProcess _process;
    private readonly DirectMemory _memory;
    private readonly Hardware.Memory.AddressSpace _none = new();
    private readonly UserClock _clock = new();
    private readonly HartTranslator? _harts;
    private readonly X86Translator? _cpus;
    private readonly CpuModel? _model;

    public UserTranslation(LinuxProcess process)
    {
        _process = process;
        _memory = new DirectMemory(process.Memory);
        process.Memory.Translator = _memory;
        bool interpret = !process.Options.Translate || !HartTranslator.IsSupported;
        if (process.Target.Abi == AbiKind.RiscV64)
        {
            if (!interpret)
                _harts = new HartTranslator(_none, user: _memory);
        }
        else
        {
            _model = CpuModel.Parse(CpuModel.Default);
            if (!interpret)
                _cpus = new X86Translator(_memory.Pages, user: _memory);
        }
    }

    /// <summary>A CPU in its initial state.</summary>
    public UserCpu CreateCpu()
    {
        switch (_process.Target.Abi)
        {
            case AbiKind.RiscV64:
                var hart = new Hart(new HartOptions { Memory = _none, Clock = _clock, User = _memory });
                var interpreter = new Cpu.RiscV.Interpreter(hart);
                ICpuEngine engine = _harts?.CreateEngine(hart, interpreter) ?? interpreter;
                hart.Stepper = interpreter;
                hart.Engine = engine;
                return new RiscVUserCpu(hart, _process.Memory, Vdso.SignalReturn(_process.Image.Vdso), _ => { _harts?.Remove(engine); });
            case AbiKind.X64 or AbiKind.I386:
                bool narrow = _process.Target.Abi == AbiKind.I386;
                var cpu = new X86Cpu(new X86CpuOptions { Model = _model!, Memory = _none, Ports = _none, Clock = _clock, User = _memory, User32 = narrow, Random = NextRandom });
                var stepper = new Cpu.X86.Interpreter(cpu, _memory.Pages);
                ICpuEngine runner = _cpus?.CreateEngine(cpu, stepper) ?? stepper;
                cpu.Stepper = stepper;
                cpu.Engine = runner;
                return narrow
                    ? new I386UserCpu(cpu, _process.Memory, _process.Image.EntryPage, _ => Release())
                    : new X86UserCpu(cpu, _process.Memory, _ => Release());

                void Release()
                {
                    _cpus?.Remove(runner);
                    stepper.Detach();
                }
            default:
                throw new NotSupportedException($"programs for {_process.Target.Name} do not run yet");
        }
    }

    /// <summary>Forks the process while nothing of the translator's is in the middle of a change.</summary>
    internal long Fork(UserCpu cpu, Func<long> fork)
    {
        if (_harts is not null && cpu is RiscVUserCpu riscv)
            return _harts.Fork(riscv.Hart, fork);
        if (_cpus is not null && cpu is X86UserCpu x86)
            return _cpus.Fork(x86.X86, fork);
        lock (_process.Memory.Sync)
            return fork();
    }

    private static ulong NextRandom() => BitConverter.ToUInt64(System.Security.Cryptography.RandomNumberGenerator.GetBytes(8));
}
