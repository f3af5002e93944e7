namespace Myna.Jit.Operations;

/// <summary>
/// The operations on 128-bit vectors. Guest vector registers are named by slot as integers are; a 256-bit register is two
/// slots, and instructions on it are two operations.
/// </summary>
/// <typeparam name="T">An integer value.</typeparam>
/// <typeparam name="V">A vector: 128 bits in the interpreter, a name in the IR.</typeparam>
public interface IVectorOps<T, V> where T : struct where V : struct
{
    V GetVector(int slot);
    void SetVector(int slot, V value);
}
