using Myna.Cpu.Engines;

namespace Myna.Machines;

/// <summary>Makes a machine's translator, if the user's choice and the host allow one.</summary>
internal static class Translators
{
    /// <returns>Null: the machine's CPUs are interpreted.</returns>
    /// <exception cref="MachineException">The translator was asked for and this host cannot have it.</exception>
    public static T? Create<T>(Accel accel, Func<T> create) where T : CpuTranslator
    {
        if (accel == Accel.Interp)
            return null;
        if (accel == Accel.Kvm)
            throw new MachineException("--accel kvm: KVM executes guests of the host's own instruction set; leave --accel out for this one");
        if (!CpuTranslator.IsSupported)
        {
            if (accel == Accel.Jit)
                throw new MachineException("the translator needs an x86-64 processor with AVX2, BMI2 and FMA; use --accel interp");
            return null;
        }
        try
        {
            return create();
        }
        catch (IOException) when (accel == Accel.Auto)
        {
            // A host that forbids executable memory still runs the machine.
            return null;
        }
        catch (IOException e)
        {
            throw new MachineException($"the translator gets no executable memory from the host ({e.Message}); use --accel interp", e);
        }
    }
}
